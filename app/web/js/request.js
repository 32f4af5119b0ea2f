// A request in its three forms: the fields of the page, the body that is sent, and the query of an address.

const MAX_FRAMES = 1000; // of a whole job
const FRAMES_OF_A_FILM = 40;
const NUMBERS = ["num_graphs", "seed", "num_steps", "guidance_scale", "candidates", "keep_frames"];
const WORDS = ["model", "sampler", "estimator", "priority"];
const PARTS = { given: ["smiles", "formula", "graph"], near: ["smiles", "graph", "strength", "unchanged"] };
const FILTERS = ["valid", "unique", "connected", "stable"];
const CONDITIONS = ["contains", "lacks", "properties", "similarity", "diverse"];

const SHORTEST_FILM = 3;

/** How many frames of each graph a job of so many can keep; 0 if that makes no film. */
export function framesFor(numGraphs, numSteps) {
  const frames = Math.min(FRAMES_OF_A_FILM, numSteps + 1, Math.floor(MAX_FRAMES / Math.max(numGraphs, 1)));
  return frames >= SHORTEST_FILM ? frames : 0;
}

export const mostGraphsOfAFilm = Math.floor(MAX_FRAMES / SHORTEST_FILM);

export const pathOf = (body) => (body.targets ? "/generate/conditional" : "/generate");

/** The query that holds a body; `toBody` turns it back. */
export function toQuery(body) {
  const query = new URLSearchParams();
  for (const name of [...WORDS, ...NUMBERS]) {
    if (body[name] !== undefined && body[name] !== null) query.set(name, body[name]);
  }
  const { num_nodes: size, filter = {}, targets = {} } = body;
  if (typeof size === "number") query.set("num_nodes", size);
  else if (size) query.set("num_nodes", `${size.min}-${size.max}`);
  const wanted = FILTERS.filter((name) => filter[name]);
  if (wanted.length) query.set("filter", wanted.join(","));
  for (const name of CONDITIONS) if (asks(filter[name])) query.set(`filter.${name}`, JSON.stringify(filter[name]));
  if (body.descriptors) query.set("descriptors", true);
  for (const [field, names] of Object.entries(PARTS)) {
    for (const name of names) {
      const value = body[field]?.[name];
      if (says(value)) query.set(`${field}.${name}`, typeof value === "object" ? JSON.stringify(value) : value);
    }
  }
  for (const [name, value] of Object.entries(targets)) query.set(`target.${name}`, value);
  return query;
}

/** The body that a query holds. What makes no sense goes to the service as it is, which says so. */
export function toBody(query) {
  const body = {};
  const toNumber = (text) => (text === "" || Number.isNaN(Number(text)) ? text : Number(text));
  for (const [name, text] of query) {
    const number = toNumber(text);
    if (WORDS.includes(name)) body[name] = text;
    else if (NUMBERS.includes(name)) body[name] = number;
    else if (name === "filter") body.filter = { ...body.filter, ...Object.fromEntries(text.split(",").map((wish) => [wish, true])) };
    else if (name.startsWith("filter.")) (body.filter ??= {})[name.slice(7)] = fromJson(text);
    else if (name === "descriptors") body.descriptors = text === "true";
    else if (/^(given|near)\./.test(name)) {
      const [field, part] = name.split(".");
      (body[field] ??= {})[part] = { strength: number, graph: fromJson(text), unchanged: text === "true" }[part] ?? text;
    } else if (name.startsWith("target.")) (body.targets ??= {})[name.slice(7)] = number;
    else if (name === "num_nodes") {
      const [min, max] = text.split("-").map(toNumber);
      body.num_nodes = max === undefined ? min : { min, max };
    }
  }
  return body;
}

const says = (value) => value !== undefined && value !== null && value !== false;
/** Whether a condition asks for anything. */
const asks = (value) => value && (typeof value !== "object" || Object.keys(value).length > 0);

/** What is no JSON goes to the service as it is. */
function fromJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A command that sends the request. */
export function toCurl(body, { hasKey }) {
  const lines = [`curl ${location.origin}${pathOf(body)}`, "-H 'Content-Type: application/json'"];
  if (hasKey) lines.push('-H "Authorization: Bearer $DIGRESS_API_KEY"');
  lines.push("-H 'Prefer: wait=60'", `-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`);
  return lines.join(" \\\n  ");
}

/** Less of a completed request: what a caller would write to get the same graphs. */
export function essential(request) {
  const { filter = {}, webhook, ...rest } = request;
  const wanted = Object.fromEntries(Object.entries(filter).filter(([, value]) => asks(value)));
  const body = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  for (const field of Object.keys(PARTS).filter((name) => body[name])) {
    body[field] = Object.fromEntries(Object.entries(body[field]).filter(([, value]) => says(value)));
  }
  if (!body.descriptors) delete body.descriptors;
  if (body.keep_frames === 0) delete body.keep_frames;
  if (body.priority === "normal") delete body.priority;
  if (body.candidates === 1) delete body.candidates;
  return Object.keys(wanted).length ? { ...body, filter: wanted } : body;
}
