// From a graph in its window to a wish: keep some of it, or draw more like it.

import { makeChooser } from "./chooser.js";
import { $, onClick, plural, say } from "./dom.js";
import { strengthInWords } from "./given.js";

const showError = (error) => say($("graph-problem"), error.message);
let shown; // {model, graph} of the window
let answer;

const chooser = makeChooser($("choice-picture"), {
  startsEmpty: true,
  onAnswer(found) {
    answer = found;
    const kept = found.nodes.filter((node) => node.kept).length;
    $("use-part").disabled = !(found.smiles || found.graph);
    say($("choice-hint"), kept ? `${plural(kept, "node")} kept${found.smiles ? `: ${found.smiles}` : ""}` : "Click the nodes to keep; arrows lead from one to the next.");
    say($("graph-problem"), found.problem);
  },
  onError: showError,
});

/** Offer what can be wished for of a graph. */
export function offerWishes(model, graph) {
  shown = { model, graph };
  stopChoosing();
}

/** Show the graph's own picture again. */
export function stopChoosing() {
  chooser.clear();
  answer = undefined;
  $("choice").hidden = true;
  $("view").hidden = false;
  $("keep-part").hidden = false;
}

/** Have the form take a wish; the window closes. */
function wish(detail) {
  const event = new CustomEvent("wish", { detail: { model: shown.model, ...detail } });
  $("graph").addEventListener("close", () => document.dispatchEvent(event), { once: true }); // after the focus is back on the page
  $("graph").close();
}

/** A graph with nothing but its form. */
function bare({ nodes, edges }) {
  return {
    nodes: nodes.map(({ id, type }) => ({ id, type })),
    edges: edges.map(({ source, target, type }) => ({ source, target, type })),
  };
}

onClick(
  $("keep-part"),
  async () => {
    $("view").hidden = $("keep-part").hidden = true;
    $("choice").hidden = false;
    $("use-part").disabled = true;
    say($("graph-problem"), "");
    await chooser.show({ model: shown.model, graph: bare(shown.graph) });
    $("choice-picture").querySelector("button")?.focus();
  },
  showError,
);
$("use-part").addEventListener("click", () => wish({ given: answer.smiles ? { smiles: answer.smiles } : { graph: answer.graph } }));
$("leave-choice").addEventListener("click", () => {
  say($("graph-problem"), "");
  stopChoosing();
  $("keep-part").focus();
});
$("more-like").addEventListener("click", () => {
  const { smiles } = shown.graph.graph;
  const strength = Number($("like-strength").value);
  wish({ near: smiles ? { smiles, strength } : { graph: bare(shown.graph), strength } });
});
const showStrength = () => {
  const words = strengthInWords(Number($("like-strength").value));
  $("like-strength-value").textContent = words;
  $("like-strength").setAttribute("aria-valuetext", words);
};
$("like-strength").addEventListener("input", showStrength);
showStrength();
