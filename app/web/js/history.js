// Earlier jobs, the newest first.

import { getJson } from "./api.js";
import { $, make, plural } from "./dom.js";

const AT_ONCE = 8;
let next = null;

/** List the newest jobs; `onChoose` is called with the one that is clicked. */
export async function showHistory(onChoose) {
  $("jobs").replaceChildren();
  await more(`/jobs?limit=${AT_ONCE}`, onChoose);
}

async function more(path, onChoose) {
  const page = await getJson(path);
  next = page.next;
  $("jobs").append(...page.jobs.map((job) => make("li", {}, row(job, onChoose))));
  $("no-jobs").hidden = $("jobs").children.length > 0;
  $("older").hidden = next === null;
  $("older").onclick = () => more(next, onChoose);
}

function row(job, onChoose) {
  const targets = Object.entries(job.request.targets ?? {}).map(([name, value]) => `${name} = ${value}`);
  const button = make(
    "button", { type: "button" },
    make("strong", {}, job.model),
    make("span", {}, [plural(job.request.num_graphs, "graph"), ...targets].join(", ")),
    make("span", { class: job.status }, job.status),
    make("time", { class: "when", dateTime: job.created_at }, new Date(job.created_at).toLocaleString()),
  );
  button.addEventListener("click", () => onChoose(job));
  return button;
}
