// The graphs of a job as pictures, and one of them in a window of its own.

import { getBlob, getJson, getText, key } from "./api.js";
import { offerWishes } from "./choosing.js";
import { closeFilm, offerFilm } from "./film.js";
import { $, copy, make, onClick, plural, save, say, short, theme, themeName } from "./dom.js";

const AT_ONCE = 24;
const CONNECTIONS = 4;
const FORMS = { json: "JSON", graphml: "GraphML", svg: "SVG", png: "PNG" };
const FORMS_OF_MOLECULES = { ...FORMS, smiles: "SMILES", sdf: "SDF" };
const ENDINGS = { smiles: "smi" };
const FILES_OF_A_JOB = { ndjson: ["JSON lines", "jsonl"], smiles: ["SMILES", "smi"], csv: ["CSV", "csv"], sdf: ["SDF", "sdf"] };

const showError = (error) => say($("gallery-problem"), error.message);
const showGraphError = (error) => say($("graph-problem"), error.message);

let job;
let graphs = [];
let turn = 0; // of jobs
let opening = 0; // of graphs
let current = 0;

/** Show the graphs of a job that has ended. */
export async function showGallery(ended) {
  clearGallery();
  job = ended;
  await showMore().catch(showError);
}

export function clearGallery() {
  turn++;
  graphs = [];
  for (const image of $("gallery").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  $("gallery").replaceChildren();
  $("more").hidden = true;
  $("downloads").hidden = true;
  say($("gallery-problem"), "");
}

async function showMore() {
  const now = turn;
  const first = graphs.length;
  const page = await getJson(`${job.links.graphs}?cursor=${first}&limit=${AT_ONCE}`);
  if (now !== turn) return;
  graphs.push(...page.graphs);
  const tiles = page.graphs.map((graph, place) => tile(graph, first + place));
  $("gallery").append(...tiles.map((button) => make("li", {}, button)));
  $("more").hidden = page.next === null;
  offerDownloads();
  await draw(tiles.map((button, place) => [button, first + place]));
}

/** Fetch the pictures of tiles, [button, number] each, a few at a time; one that does not come leaves its tile without. */
async function draw(waiting) {
  const now = turn;
  const drawSome = async () => {
    for (let next; now === turn && (next = waiting.shift()); ) await drawTile(...next, now).catch(showError);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, drawSome));
}

function tile({ graph: about, nodes, edges }, number) {
  const isMolecule = about.smiles !== undefined;
  const isInvalid = about.valid === false;
  const name = isInvalid && isMolecule ? "not a valid molecule" : about.smiles ?? `${nodes.length} nodes, ${edges.length} edges`;
  const button = make(
    "button", { type: "button", class: isInvalid ? "tile invalid" : "tile", title: name },
    make("span", { class: "waiting" }),
    make("span", { class: "name" }, name),
  );
  button.setAttribute("aria-label", `Graph ${number + 1}: ${name}`);
  button.addEventListener("click", () => open(number));
  return button;
}

async function drawTile(button, number, now) {
  const picture = await getBlob(`${job.links.self}/graphs/${number}?format=svg&size=240&theme=${themeName()}`);
  if (now !== turn) return;
  if (button.firstChild.src) URL.revokeObjectURL(button.firstChild.src);
  button.firstChild.replaceWith(make("img", { alt: "", src: URL.createObjectURL(picture) }));
}

function offerDownloads() {
  const isMolecules = graphs[0]?.graph.smiles !== undefined;
  const forms = Object.entries(FILES_OF_A_JOB).filter(([form]) => form === "ndjson" || isMolecules);
  $("downloads").replaceChildren(
    ...forms.map(([form, [words, ending]]) =>
      downloadButton(words, () => getBlob(`${job.links.graphs}?format=${form}`), `${job.model}-${job.request.seed}.${ending}`, showError),
    ),
  );
  $("downloads").hidden = graphs.length === 0;
}

function downloadButton(words, get, name, onError) {
  const button = make("button", { type: "button" }, words);
  button.setAttribute("aria-label", `Download as ${words}`);
  onClick(button, async () => save(await get(), name), onError);
  return button;
}

async function open(number) {
  const now = ++opening;
  current = number;
  closeFilm();
  say($("graph-problem"), "");
  const graph = graphs[number];
  const path = `${job.links.self}/graphs/${number}`;
  $("graph-title").textContent = `Graph ${number + 1} of ${job.progress.graphs_done || graphs.length}`;
  // Disabled they would lose the focus, and with it the keys.
  $("previous").setAttribute("aria-disabled", number === 0);
  $("next").setAttribute("aria-disabled", number === graphs.length - 1);
  $("facts").replaceChildren(...facts(graph).map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))));
  offerForms(graph, path, number);
  $("copy-smiles").hidden = !graph.graph.smiles;
  offerWishes(job.model, graph);
  $("picture").replaceChildren();
  if (!$("graph").open) $("graph").showModal();
  try {
    const picture = await getBlob(`${path}?format=svg&size=640&theme=${themeName()}`);
    if (now !== opening) return;
    const image = make("img", { alt: graph.graph.smiles ?? `Graph ${number + 1}`, src: URL.createObjectURL(picture) });
    image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    $("picture").replaceChildren(image);
    if (job.request.keep_frames > 1) offerFilm($("picture"), path);
  } catch (error) {
    if (now === opening) showGraphError(error);
  }
}

function facts({ graph: about, nodes, edges }) {
  const properties = Object.entries(about.properties ?? {}).map(([name, value]) => {
    const target = job.request.targets?.[name];
    const error = about.property_errors?.[name];
    const words = `${short(value)}${error === undefined ? "" : ` ± ${short(error)}`}`;
    return [`${name}, predicted`, target === undefined ? words : `${words} (wanted: ${short(target)})`];
  });
  const exact = Object.entries(about.descriptors ?? {}).map(([name, value]) => [name, typeof value === "number" ? short(value) : value]);
  const likeness = about.similarity === undefined ? [] : [["Similarity", `${short(about.similarity)}${about.unchanged ? ", unchanged" : ""}`]];
  return [
    ["Model", about.model],
    ...validity(about),
    ...(about.smiles ? [["SMILES", about.smiles]] : []),
    ["Size", `${plural(nodes.length, "node")}, ${plural(edges.length, "edge")}`],
    ["Node types", counted(nodes)],
    ...(edges.length ? [["Edge types", counted(edges)]] : []),
    ...likeness,
    ...exact,
    ...properties,
    ["Seed", String(about.seed)],
  ];
}

function validity({ smiles, valid }) {
  if (valid === undefined) return [];
  if (smiles === undefined) return [["Valid", valid ? "yes" : "no: it is not of the model's kind"]];
  return [["Valid molecule", valid ? "yes" : "no: RDKit cannot sanitise it"]];
}

function counted(parts) {
  const counts = {};
  for (const { type } of parts) counts[type] = (counts[type] ?? 0) + 1;
  return Object.entries(counts).map(([type, count]) => `${count} ${type}`).join(", ");
}

function offerForms(graph, path, number) {
  const forms = graph.graph.smiles === undefined ? FORMS : graph.graph.valid ? FORMS_OF_MOLECULES : { ...FORMS, sdf: "SDF" };
  const name = (form) => `${job.model}-${job.request.seed}-${number}.${ENDINGS[form] ?? form}`;
  const buttons = Object.entries(forms).map(([form, words]) => downloadButton(words, () => getBlob(`${path}?format=${form}`), name(form), showGraphError));
  if (job.request.keep_frames > 1) {
    buttons.push(downloadButton("Film", () => getBlob(`${path}/trajectory?format=svg`), `${job.model}-${job.request.seed}-${number}-film.svg`, showGraphError));
  }
  $("graph-downloads").replaceChildren(...buttons);
}

onClick($("more"), showMore, showError);
onClick($("previous"), () => void open(current - 1), showGraphError);
onClick($("next"), () => void open(current + 1), showGraphError);
$("close").addEventListener("click", () => $("graph").close());
$("graph").addEventListener("close", () => {
  opening++;
  closeFilm();
  $("gallery").querySelectorAll("button")[current]?.focus();
});
$("graph").addEventListener("keydown", (event) => {
  if (event.target.type === "range") return;
  if (event.key === "ArrowLeft") $("previous").click();
  if (event.key === "ArrowRight") $("next").click();
});
$("copy-smiles").addEventListener("click", () => copy(graphs[current].graph.smiles, $("copy-smiles")));
$("copy-graph-curl").addEventListener("click", () => {
  const withKey = key.get() ? ' -H "Authorization: Bearer $DIGRESS_API_KEY"' : "";
  copy(`curl${withKey} ${location.origin}${job.links.self}/graphs/${current}`, $("copy-graph-curl"));
});
theme.addEventListener("change", () => {
  draw([...$("gallery").querySelectorAll("button")].map((button, number) => [button, number]));
  if ($("graph").open) open(current);
});
