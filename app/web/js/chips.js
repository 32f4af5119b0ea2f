// What graphs must be, as chips: in the words of people, with the number of draws that each condition refused.

import { wordsOf } from "./conditions.js";
import { make } from "./dom.js";

/** Reason -> words of all that a request asks of its graphs; reasons are those of `summary.refused`. */
export function conditionsOf({ filter = {}, given, near }) {
  const wanted = Object.entries(filter).filter(([, value]) => value === true).map(([name]) => [name, name]);
  wanted.push(...wordsOf(filter));
  if (given?.formula) wanted.push(["formula", given.formula]);
  if (near?.strength > 0 && !near.unchanged) wanted.push(["unchanged", "not the graph itself"]);
  return new Map(wanted);
}

/** Show the conditions of a job that has ended in `place`, each with its count. */
export function showChips(place, { request, summary }) {
  const refused = summary?.refused ?? {};
  const words = conditionsOf(request);
  for (const reason of Object.keys(refused)) if (!words.has(reason)) words.set(reason, reason);
  const chips = [...words].map(([reason, text]) =>
    make("li", { class: "chip" }, make("span", {}, text), make("b", {}, `${(refused[reason] ?? 0).toLocaleString("en")} refused`)),
  );
  place.replaceChildren(...chips);
  place.hidden = chips.length === 0 || !summary;
}
