// Earlier jobs, the newest first.

import { getJson } from "./api.js";
import { $, make, plural } from "./dom.js";

const AT_ONCE = 8;
let turn = 0;
let next = null;
let choose = () => {};

/** List the newest jobs; `onChoose` is called with the one that is clicked. */
export async function showHistory(onChoose) {
  choose = onChoose;
  const now = ++turn;
  const page = await getJson(`/jobs?limit=${AT_ONCE}`);
  if (now !== turn) return; // it has been asked for again
  $("jobs").replaceChildren();
  append(page);
}

/** List the ones before these. */
export async function showOlder() {
  const now = turn;
  const page = await getJson(next);
  if (now === turn) append(page);
}

function append(page) {
  next = page.next;
  $("jobs").append(...page.jobs.map((job) => make("li", {}, row(job))));
  $("no-jobs").hidden = $("jobs").children.length > 0;
  $("older").hidden = next === null;
}

function row(job) {
  const targets = Object.entries(job.request.targets ?? {}).map(([name, value]) => `${name} = ${value}`);
  const button = make(
    "button", { type: "button" },
    make("strong", {}, job.model),
    make("span", {}, [plural(job.request.num_graphs, "graph"), ...targets].join(", ")),
    make("span", { class: job.status }, job.status),
    make("time", { class: "when", dateTime: job.created_at }, new Date(job.created_at).toLocaleString()),
  );
  button.addEventListener("click", () => choose(job));
  return button;
}
