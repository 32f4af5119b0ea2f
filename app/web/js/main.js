// The page: a form for a request, the job it becomes, and the graphs that come of it.

import { Problem, getJson, key, post } from "./api.js";
import { showCard } from "./card.js";
import { $, copy, plural, say } from "./dom.js";
import { showHistory } from "./history.js";
import { follow, job, leave } from "./job.js";
import { essential, framesFor, pathOf, toBody, toCurl, toQuery } from "./request.js";
import { makeSliders } from "./sliders.js";

let cards = {};
let sliders;
const card = () => cards[$("model").value];
const filters = () => [...document.querySelectorAll("[name=filter]")];
// A field that is empty leaves the choice to the service; what a browser takes for no number is sent as it is.
const number = (id) => ($(id).value === "" ? undefined : Number($(id).value));

function fillForm(body) {
  // By default a model that can be steered: there is most to try.
  const { name } = cards[body.model] ?? Object.values(cards).find((one) => propertiesOf(one).length) ?? Object.values(cards)[0];
  $("model").value = name;
  showModel();
  $("num-graphs").value = body.num_graphs ?? 12;
  $("seed").value = body.seed ?? "";
  const size = body.num_nodes ?? {};
  $("min-nodes").value = typeof size === "number" ? size : size.min ?? "";
  $("max-nodes").value = typeof size === "number" ? size : size.max ?? "";
  $("sampler").value = body.sampler ?? "";
  $("num-steps").value = body.num_steps ?? "";
  for (const box of filters()) box.checked = Boolean(body.filter?.[box.value]);
  $("film").checked = body.keep_frames !== undefined || !body.num_graphs;
  sliders.targets = body.targets;
  $("guidance-scale").value = body.guidance_scale ?? "";
  $("candidates").value = body.candidates ?? 1;
  showSteering();
}

function readForm() {
  const [low, high] = [number("min-nodes"), number("max-nodes")];
  const { targets } = sliders;
  const wanted = filters().filter((box) => box.checked && !box.disabled).map((box) => [box.value, true]);
  const numGraphs = number("num-graphs");
  const frames = $("film").checked ? framesFor(numGraphs, number("num-steps") ?? card().sampling.num_steps) : 0;
  const body = {
    model: $("model").value,
    num_graphs: numGraphs,
    seed: number("seed"),
    num_nodes: low === undefined && high === undefined ? undefined : { min: low ?? 1, max: high ?? card().max_nodes },
    sampler: $("sampler").value || undefined,
    num_steps: number("num-steps"),
    filter: wanted.length ? Object.fromEntries(wanted) : undefined,
    keep_frames: frames || undefined,
  };
  if (!targets) return body;
  return { ...body, targets, guidance_scale: number("guidance-scale"), candidates: number("candidates") };
}

function showModel() {
  const { domain, max_nodes: most, properties, sampling, size_distribution: sizes } = { properties: propertiesOf(card()), ...card() };
  const usual = Object.keys(sizes).map(Number);
  const [low, high] = [Math.min(...usual), Math.max(...usual)];
  $("sizes").textContent = low === high ? `${low} in training, at most ${most}` : `${low} to ${high} in training`;
  $("num-graphs").max = sampling.max_graphs;
  $("num-steps").placeholder = String(sampling.num_steps);
  $("num-steps").max = card().diffusion.num_timesteps;
  for (const label of document.querySelectorAll(".for-molecules")) {
    label.hidden = domain !== "molecule";
    label.firstChild.disabled = domain !== "molecule";
  }
  $("targets").hidden = properties.length === 0;
  sliders = makeSliders($("sliders"), properties, showSteering);
  $("guidance-scale").placeholder = String(card().guidance.scales[card().guidance.estimator]);
  showSteering();
  showCard(card()).catch(complain);
}

const propertiesOf = ({ regressors }) => regressors.filter(({ role }) => role === "guide").flatMap(({ properties }) => properties);

function showSteering() {
  $("steering").hidden = !sliders.targets;
  showFrames();
}

function showFrames() {
  const frames = framesFor(number("num-graphs") ?? 1, number("num-steps") ?? card().sampling.num_steps);
  $("film").disabled = frames === 0;
  $("film-hint").textContent = frames ? plural(frames, "frame") : "for 200 graphs at the most";
}

function complain(error) {
  clearMistakes();
  if (error.status === 401) {
    $("key-open").hidden = false;
    say($("key-problem"), key.get() ? error.message : "");
    if (!$("key").open) $("key").showModal();
    return;
  }
  if (!(error instanceof Problem)) console.error(error);
  say($("problem"), error.message);
  for (const { field } of error.document?.errors ?? []) {
    const place = fieldOf(field);
    place?.querySelectorAll("input, select").forEach((input) => input.setAttribute("aria-invalid", "true"));
  }
  document.querySelector("[aria-invalid=true]")?.focus();
}

/** The part of the form that a problem document names, as in num_nodes.min. */
function fieldOf(name) {
  const parts = name.split(".");
  for (; parts.length; parts.pop()) {
    const found = document.querySelector(`[data-field="${CSS.escape(parts.join("."))}"]`);
    if (found) return found;
  }
  return null;
}

function clearMistakes() {
  say($("problem"), "");
  for (const input of document.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function show(found) {
  fillForm(essential(found.request));
  const query = toQuery(essential(found.request));
  query.set("job", found.id);
  history.replaceState(null, "", `?${query}`);
  return follow(found, listJobs);
}

async function submit(body) {
  clearMistakes();
  $("generate").disabled = true;
  try {
    const found = await post(pathOf(body), body);
    listJobs();
    show(found);
    $("results").scrollIntoView({ block: "nearest" });
  } catch (error) {
    complain(error);
  } finally {
    $("generate").disabled = false;
  }
}

const listJobs = () => showHistory((found) => show(found)).catch(complain);

/** What an address asks for: a job that is there still, or else the same request again; nothing, if it names no model. */
async function followAddress() {
  const query = new URLSearchParams(location.search);
  const body = toBody(query);
  fillForm(body);
  if (!body.model) return;
  if (!(body.model in cards)) {
    const detail = `there is no model '${body.model}' here; choose one of those there are`;
    throw new Problem({ status: 422, detail, errors: [{ field: "model", detail }] });
  }
  const found = query.get("job") && (await getJson(`/jobs/${encodeURIComponent(query.get("job"))}?graphs=false`).catch(ifGone));
  if (found) show(found);
  else if (body.seed !== undefined) submit(body);
}

function ifGone(error) {
  if (error.status !== 404) throw error;
}

async function begin() {
  $("key-open").hidden = !key.get();
  try {
    const found = await getJson("/models");
    cards = Object.fromEntries(found.map((one) => [one.name, one]));
    $("model").replaceChildren(...found.map(({ name }) => new Option(name, name)));
    say($("notice"), found.length ? "" : "This service has no models.");
    if (!found.length) return;
    listJobs();
    await followAddress();
  } catch (error) {
    if (error.status === 0) {
      say($("notice"), "The service does not answer; this page tries again every few seconds.");
      setTimeout(begin, 3000);
    } else complain(error);
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
  submit(readForm());
});
$("reset").addEventListener("click", () => {
  clearMistakes();
  leave();
  history.replaceState(null, "", location.pathname);
  fillForm({ model: $("model").value });
});
$("refresh").addEventListener("click", listJobs);
$("copy-curl").addEventListener("click", () => copy(toCurl(essential(job.request), { hasKey: Boolean(key.get()) }), $("copy-curl")));
$("key-open").addEventListener("click", () => {
  say($("key-problem"), "");
  $("key").showModal();
});
$("key-form").addEventListener("submit", (event) => {
  key.set(event.submitter?.value === "forget" ? "" : $("key-value").value.trim());
  $("key-value").value = "";
  begin();
});

begin();
