// What every graph shall contain, and what it shall be like: the fields of the form for `given` and `near`.

import { makeChooser } from "./chooser.js";
import { $, plural, say } from "./dom.js";

const PAUSE_MILLISECONDS = 300;
const USUAL_STRENGTH = 0.3;
let card;
let part; // a node-link graph to keep, where it is no SMILES
let like; // a node-link graph to be near
let unchanged; // whether an earlier request wanted the graph itself, too
let timer;

const chooser = makeChooser($("part-picture"), {
  opens: () => $("part-opens").checked,
  onAnswer(answer, { keep, open, closed }) {
    const isChanged = keep || open.size || closed.size;
    if (isChanged && answer.smiles !== null) $("keep").value = answer.smiles;
    if (isChanged && answer.graph !== null) setPart(answer.graph);
    $("part").hidden = false;
    mark(answer.problem);
  },
  onError: (error) => mark(error.message),
});

function mark(problem) {
  say($("part-problem"), problem);
  if (problem) $("keep").setAttribute("aria-invalid", "true");
  else $("keep").removeAttribute("aria-invalid");
}

function setPart(graph) {
  part = graph;
  $("part-graph").hidden = !graph;
  if (graph) $("part-size").textContent = `a part of ${plural(graph.nodes.length, "node")}`;
}

function setLike(graph) {
  like = graph;
  $("like-graph").hidden = !graph;
  if (graph) $("like-size").textContent = `a graph of ${plural(graph.nodes.length, "node")}`;
}

/** Draw what is in the field, or the graph that takes its place. */
function draw() {
  const smiles = $("keep").value.trim();
  if (part) return chooser.show({ model: card.name, graph: part });
  if (smiles && card.domain === "molecule") return chooser.show({ model: card.name, smiles });
  chooser.clear();
  $("part").hidden = true;
  mark("");
}

function showNear() {
  const isNear = Boolean(like || $("near").value.trim());
  $("strength-field").hidden = !isNear;
  $("strength-value").textContent = $("strength").value;
  $("strength").setAttribute("aria-valuetext", strengthInWords(Number($("strength").value)));
}

/** A strength as people say it. */
export function strengthInWords(strength) {
  const words = strength === 0 ? "the same" : strength < 0.35 ? "close" : strength < 0.75 ? "related" : strength < 1 ? "far" : "strangers";
  return `${strength}, ${words}`;
}

/** Show the fields that a model has; graphs of another model are none of this one's. */
export function showFields(shown) {
  if (card && card.name !== shown.name) setPart(undefined), setLike(undefined);
  card = shown;
  const isMolecules = card.domain === "molecule";
  for (const field of document.querySelectorAll(".of-molecules")) field.hidden = !isMolecules;
  $("given").hidden = !isMolecules && !part;
  $("near-fields").hidden = !isMolecules && !like;
  draw();
  showNear();
}

/** Fill the fields by a request. */
export function fillGiven({ given = {}, near = {} }) {
  $("keep").value = given.smiles ?? "";
  $("formula").value = given.formula ?? "";
  setPart(given.graph ?? undefined);
  $("near").value = near.smiles ?? "";
  setLike(near.graph ?? undefined);
  $("strength").value = near.strength ?? USUAL_STRENGTH;
  unchanged = near.unchanged || undefined;
  showFields(card);
}

/** `given` and `near` of a request; those that are empty are undefined. */
export function readGiven() {
  const isMolecules = card.domain === "molecule";
  const text = (id) => (isMolecules && $(id).value.trim()) || undefined;
  const given = { smiles: part ? undefined : text("keep"), graph: part, formula: text("formula") };
  const near = { smiles: like ? undefined : text("near"), graph: like };
  return {
    given: Object.values(given).some(Boolean) ? given : undefined,
    near: near.smiles || near.graph ? { ...near, strength: Number($("strength").value), unchanged } : undefined,
  };
}

$("keep").addEventListener("input", () => {
  clearTimeout(timer);
  setPart(undefined);
  timer = setTimeout(draw, PAUSE_MILLISECONDS);
});
$("near").addEventListener("input", () => {
  setLike(undefined);
  unchanged = undefined;
  showNear();
});
$("strength").addEventListener("input", showNear);
$("part-forget").addEventListener("click", () => {
  setPart(undefined);
  showFields(card);
});
$("like-forget").addEventListener("click", () => {
  setLike(undefined);
  showFields(card);
});
