// Following a job: its state in words, its progress, its end.

import { events, getJson, send } from "./api.js";
import { showChips } from "./chips.js";
import { $, duration, onClick, plural, say } from "./dom.js";
import { clearGallery, showGallery } from "./gallery.js";

let following = new AbortController();
/** The job on the page, as the service last told of it. */
export let job;

/** Show a job and follow it to its end; `onEnd` is called then. */
export async function follow(found, onEnd) {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  clearGallery();
  job = found;
  $("job").hidden = false;
  $("job-title").textContent = `${plural(job.request.num_graphs, "graph")} of ${job.model}`;
  say($("job-summary"), "");
  showChips($("job-conditions"), job);
  showProgress(job.status, job.progress);
  try {
    if (!job.finished_at) await watch(signal);
    job = await getJson(`${job.links.self}?graphs=false`, { signal });
    showEnd();
    onEnd?.();
  } catch (error) {
    if (signal.aborted) return;
    $("cancel").hidden = $("progress").hidden = true;
    say($("job-status"), error.message);
    return;
  }
  if (job.progress.graphs_done) await showGallery(job);
}

/** Stop following, and show no job any more. */
export function leave() {
  following.abort();
  clearGallery();
  $("job").hidden = true;
  job = undefined;
}

async function watch(signal) {
  let { status, progress } = job;
  for await (const { name, data } of events(job.links.events, signal)) {
    if (name === "lost") {
      say($("job-status"), "The connection is lost; trying again…");
      continue;
    }
    if (name === "status" && data.status !== status) {
      status = data.status;
      progress = { ...progress, position: null, eta_seconds: null }; // what was told of the state before
    }
    if (name === "progress") progress = { ...progress, ...data };
    showProgress(status, progress);
  }
}

function showProgress(status, { fraction, graphs_done: done, num_graphs: all, position, eta_seconds: eta }) {
  const left = eta === null || eta === undefined ? "" : `, about ${duration(eta)} left`;
  announce(status === "queued" ? "The job waits." : "The job is computed.");
  $("cancel").hidden = !["queued", "running"].includes(status);
  $("progress").hidden = false;
  $("progress").value = fraction;
  if (status === "queued") {
    const ahead = position ? `: ${plural(position, "job")} ahead of it` : position === 0 ? ": it is the next one" : "";
    say($("job-status"), `Waiting${ahead}${left}.`);
  } else {
    say($("job-status"), `Computing: ${Math.round(100 * fraction)} %, ${done} of ${plural(all, "graph")} finished${left}.`);
  }
}

function showEnd() {
  $("cancel").hidden = true;
  $("progress").hidden = true;
  const done = plural(job.progress.graphs_done, "graph");
  const words = {
    succeeded: `Done: ${done}.`,
    canceled: `Canceled; ${done} had been finished.`,
    failed: `Failed: ${job.error?.detail ?? "the service does not say why"}`,
  };
  say($("job-status"), words[job.status]);
  announce(words[job.status]);
  say($("job-summary"), job.summary ? summary(job.summary) : "");
  showChips($("job-conditions"), job);
}

/** Announce a change to screen readers; not every per cent of progress. */
function announce(message) {
  if ($("job-news").textContent !== message) $("job-news").textContent = message;
}

function summary({ num_graphs: all, valid, valid_and_connected: whole, unique, note, predicted_error: errors, seconds }) {
  const parts = [];
  if (unique !== null) parts.push(`${valid} of ${all} valid, ${whole} of them in one piece, ${unique} distinct`);
  else if (valid !== null) parts.push(`${valid} of ${all} valid`);
  if (note) parts.push(note);
  for (const [name, error] of Object.entries(errors ?? {})) parts.push(`predicted ${name} is ${error.toPrecision(2)} off on average`);
  parts.push(`computed in ${seconds.toFixed(1)} s, seed ${job.request.seed}`);
  return `${parts.join("; ")}.`;
}

onClick(
  $("cancel"),
  () => send(job.links.self, { method: "DELETE" }),
  (error) => say($("job-summary"), error.message),
);
