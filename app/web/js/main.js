// The page: a form for a request, the job it becomes, and the graphs that come of it.

import { Problem, getJson, key, post } from "./api.js";
import { showCard } from "./card.js";
import { fillConditions, readConditions } from "./conditions.js";
import { $, copy, onClick, plural, say } from "./dom.js";
import { fillGiven, readGiven, showFields } from "./given.js";
import { showHistory, showOlder } from "./history.js";
import { follow, job, leave } from "./job.js";
import { essential, framesFor, mostGraphsOfAFilm, pathOf, toBody, toCurl, toQuery } from "./request.js";
import { makeSliders } from "./sliders.js";

const RETRY_SECONDS = 3;
let cards = {};
let sliders;
let extra = {}; // what a link or an earlier job asks for, and the form has no field for

const card = () => cards[$("model").value];
const isServed = (name) => Object.hasOwn(cards, name);
const propertiesOf = ({ regressors }) => regressors.filter(({ role }) => role === "guide").flatMap(({ properties }) => properties);
const filters = () => [...document.querySelectorAll("[name=filter]")];
// A field that is empty leaves the choice to the service; what the browser takes for no number, the service shall say so.
const number = (id) => ($(id).validity.badInput ? "no number" : $(id).value === "" ? undefined : Number($(id).value));

/** Fill the form by a request; what is as the model has it by default is left to the model. */
function fillForm({ model, num_nodes: size = {}, ...body }) {
  const own = cards[model].sampling;
  const usual = (name) => (body[name] === own[name] ? "" : body[name] ?? "");
  $("model").value = model;
  showModel();
  extra = { estimator: body.estimator, priority: body.priority };
  $("num-graphs").value = body.num_graphs ?? 12;
  $("seed").value = body.seed ?? "";
  $("min-nodes").value = typeof size === "number" ? size : size.min ?? "";
  $("max-nodes").value = typeof size === "number" ? size : size.max ?? "";
  $("sampler").value = usual("sampler");
  $("num-steps").value = usual("num_steps");
  for (const box of filters()) box.checked = Boolean(body.filter?.[box.value]);
  fillConditions(body.filter);
  $("descriptors").checked = Boolean(body.descriptors);
  $("film").checked = body.keep_frames !== undefined || !body.num_graphs;
  sliders.targets = body.targets;
  fillGiven(body);
  $("guidance-scale").value = body.guidance_scale ?? "";
  $("candidates").value = body.candidates ?? 1;
  showSteering();
}

function readForm() {
  const [low, high] = [number("min-nodes"), number("max-nodes")];
  const { targets } = sliders;
  const isMolecules = card().domain === "molecule";
  const checked = filters().filter((box) => box.checked && !box.disabled).map((box) => [box.value, true]);
  const filter = { ...Object.fromEntries(checked), ...(isMolecules && readConditions()) };
  const body = {
    model: $("model").value,
    num_graphs: number("num-graphs"),
    seed: number("seed"),
    num_nodes: low === undefined && high === undefined ? undefined : { min: low ?? 1, max: high ?? card().max_nodes },
    ...readGiven(),
    sampler: $("sampler").value || undefined,
    num_steps: number("num-steps"),
    filter: Object.keys(filter).length ? filter : undefined,
    descriptors: (isMolecules && $("descriptors").checked) || undefined,
    keep_frames: ($("film").checked && frames()) || undefined,
    priority: extra.priority,
  };
  if (!targets) return body;
  const { estimator } = extra;
  return { ...body, targets, estimator, guidance_scale: number("guidance-scale"), candidates: number("candidates") };
}

function showModel() {
  const { diffusion, domain, guidance, max_nodes: most, node_types: nodeTypes, sampling, size_distribution: sizes, validity } = card();
  const properties = propertiesOf(card());
  const usual = Object.keys(sizes).map(Number);
  const [low, high] = [Math.min(...usual), Math.max(...usual)];
  extra = {};
  $("sizes").textContent = low === high ? `${low} in training, at most ${most}` : `${low} to ${high} in training`;
  $("num-graphs").max = sampling.max_graphs;
  $("num-steps").placeholder = String(sampling.num_steps);
  $("num-steps").max = diffusion.num_timesteps;
  const show = (label, isShown) => {
    label.hidden = !isShown;
    label.firstChild.disabled = !isShown;
  };
  for (const label of document.querySelectorAll(".for-molecules")) show(label, domain === "molecule");
  for (const label of document.querySelectorAll(".for-hydrogens")) show(label, domain === "molecule" && nodeTypes.includes("H"));
  for (const label of document.querySelectorAll(".for-known-validity")) show(label, domain === "molecule" || validity);
  showFields(card());
  $("targets").hidden = properties.length === 0;
  sliders = makeSliders($("sliders"), properties, showSteering);
  $("guidance-scale").placeholder = String(guidance.scales[guidance.estimator]);
  showSteering();
  showCard(card()).catch(showError);
}

function showSteering() {
  $("steering").hidden = !sliders.targets;
  showFrames();
}

const frames = () => framesFor(number("num-graphs") ?? 1, number("num-steps") ?? card().sampling.num_steps) || 0;

function showFrames() {
  if (!card()) return;
  const most = `none: only for ${mostGraphsOfAFilm} graphs, and from two steps on`;
  $("film").disabled = frames() === 0;
  $("film-hint").textContent = frames() ? plural(frames(), "frame") : most;
}

function showError(error) {
  clearMistakes();
  if (error.status === 401) return; // the key is asked for
  if (!(error instanceof Problem)) console.error(error);
  say($("problem"), error.message);
  for (const { field } of error.document?.errors ?? []) {
    const place = fieldOf(field);
    place?.querySelectorAll("input:not([type=radio]), select").forEach((input) => input.setAttribute("aria-invalid", "true"));
  }
  document.querySelector("[aria-invalid=true]")?.focus();
}

/** The part of the form that a problem document names, as in num_nodes.min. */
function fieldOf(name) {
  for (const parts = name.split("."); parts.length; parts.pop()) {
    const found = document.querySelector(`[data-field="${CSS.escape(parts.join("."))}"]`);
    if (found) return found;
  }
  return null;
}

function clearMistakes() {
  say($("problem"), "");
  for (const input of document.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Show a job, and have the address say which, and what it was asked for. */
function show(found) {
  const query = toQuery(essential(found.request));
  query.set("job", found.id);
  history.replaceState(null, "", `?${query}`);
  follow(found, listJobs).catch(showError);
}

function showAgain(found) {
  clearMistakes();
  if (isServed(found.model)) fillForm(essential(found.request));
  show(found);
}

async function submit(body) {
  clearMistakes();
  $("generate").disabled = true;
  try {
    show(await post(pathOf(body), body));
    listJobs();
    $("results").scrollIntoView({ block: "nearest" });
  } catch (error) {
    showError(error);
  } finally {
    $("generate").disabled = false;
  }
}

const listJobs = () => showHistory(showAgain).catch(showError);

/** What an address asks for: a job that is there still, or else the same request again; nothing, if it names no model. */
async function followAddress() {
  const query = new URLSearchParams(location.search);
  const body = toBody(query);
  const found = query.get("job") && (await getJson(`/jobs/${encodeURIComponent(query.get("job"))}?graphs=false`).catch(ifGone));
  if (found) return showAgain(found);
  if (!body.model) return;
  if (!isServed(body.model)) {
    const detail = `there is no model '${body.model}' here; choose one of those there are`;
    throw new Problem({ status: 422, detail, errors: [{ field: "model", detail }] });
  }
  fillForm(body);
  if (body.seed !== undefined) submit(body);
}

function ifGone(error) {
  if (error.status !== 404) throw error;
}

/** Ask which models there are, and show one: by default one that can be steered, for there is most to try. */
async function begin() {
  $("key-open").hidden = !key.get();
  try {
    const found = await getJson("/models");
    cards = Object.fromEntries(found.map((one) => [one.name, one]));
    $("model").replaceChildren(...found.map(({ name }) => new Option(name, name)));
    say($("notice"), found.length ? "" : "This service has no models.");
    if (!found.length) return;
    fillForm({ model: (found.find((one) => propertiesOf(one).length) ?? found[0]).name });
    $("generate").disabled = false;
    listJobs();
    await followAddress();
  } catch (error) {
    if (Object.keys(cards).length === 0 && (error.status === 0 || error.status >= 500)) {
      say($("notice"), `${error.message}. This page tries again every few seconds.`);
      setTimeout(begin, 1000 * RETRY_SECONDS);
    } else showError(error);
  }
}

$("model").addEventListener("change", () => {
  clearMistakes();
  showModel();
});
$("num-graphs").addEventListener("input", showFrames);
$("num-steps").addEventListener("input", showFrames);
$("request").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!$("generate").disabled) submit(readForm());
});
onClick(
  $("reset"),
  () => {
    clearMistakes();
    leave();
    history.replaceState(null, "", location.pathname);
    if (card()) fillForm({ model: $("model").value });
  },
  showError,
);
onClick($("refresh"), listJobs, showError);
onClick($("older"), showOlder, showError);
onClick($("copy-curl"), () => copy(toCurl(essential(job.request), { hasKey: Boolean(key.get()) }), $("copy-curl")), showError);

document.addEventListener("wish", ({ detail: { model, ...wanted } }) => {
  clearMistakes();
  if (isServed(model) && $("model").value !== model) fillForm({ model });
  // A part or a graph to be like decides how large the answers are.
  $("min-nodes").value = $("max-nodes").value = "";
  fillGiven({ ...readGiven(), ...wanted });
  $(wanted.near ? "strength" : wanted.given.smiles ? "keep" : "part-forget").focus();
});

document.addEventListener("key-needed", () => {
  $("key-open").hidden = false;
  say($("key-problem"), key.get() ? "The service does not take this key." : "");
  if (!$("key").open) $("key").showModal();
});
$("key-open").addEventListener("click", () => {
  say($("key-problem"), "");
  $("key").showModal();
});
$("key-form").addEventListener("submit", (event) => {
  const isForgotten = event.submitter?.value === "forget";
  key.set(isForgotten ? "" : $("key-value").value.trim());
  $("key-value").value = "";
  // What one key was shown is not another's; a request that is being written stays.
  if (isForgotten) location.assign(location.pathname);
  else if (Object.keys(cards).length === 0) begin();
  else listJobs();
});

begin();
