// Following a job: its state in words, its progress, its end.

import { events, getJson, send } from "./api.js";
import { $, duration, plural, say } from "./dom.js";
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
  showProgress(job.status, job.progress);
  try {
    if (!job.finished_at) await watch(signal);
    job = await getJson(`${job.links.self}?graphs=false`, { signal });
    showEnd();
    onEnd?.();
    if (job.progress.graphs_done) await showGallery(job);
  } catch (error) {
    if (signal.aborted) return;
    $("cancel").hidden = true;
    say($("job-status"), error.message);
  }
}

/** Stop following, and show no job any more. */
export function leave() {
  following.abort();
  clearGallery();
  $("job").hidden = true;
  job = undefined;
}

async function watch(signal) {
  let status = job.status;
  let begun = job.started_at ? Date.parse(job.started_at) : undefined;
  let told = job.progress;
  for await (const { name, data } of events(job.links.events, signal)) {
    if (name === "lost") {
      say($("job-status"), "The connection is lost; trying again…");
      continue;
    }
    if (name === "status") {
      status = data.status;
      if (status === "running") begun ??= Date.now();
      if (status === "queued") begun = undefined;
    }
    if (name === "progress") told = { ...told, ...data };
    if (status === "running" && told.fraction > 0.02) {
      const passed = (Date.now() - begun) / 1000;
      told = { ...told, eta_seconds: (passed * (1 - told.fraction)) / told.fraction };
    }
    showProgress(status, told);
  }
}

function showProgress(status, { fraction, graphs_done: done, num_graphs: all, position, eta_seconds: eta }) {
  const left = eta === null || eta === undefined ? "" : `, about ${duration(eta)} left`;
  $("cancel").hidden = !["queued", "running"].includes(status);
  $("progress").hidden = false;
  $("progress").value = fraction;
  if (status === "queued") {
    const ahead = position ? `${plural(position, "job")} ahead of it` : "it is the next one";
    say($("job-status"), `Waiting: ${ahead}${left}.`);
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
  say($("job-summary"), job.summary ? summary(job.summary) : "");
}

function summary({ num_graphs: all, valid, valid_and_connected: whole, unique, short, predicted_error: errors, seconds }) {
  const parts = [];
  if (valid !== null) parts.push(`${valid} of ${all} valid, ${whole} of them in one piece, ${unique} distinct`);
  if (short) parts.push(`${short} short: no draw of them passed the filter`);
  for (const [name, error] of Object.entries(errors ?? {})) parts.push(`predicted ${name} is ${error.toPrecision(2)} off on average`);
  parts.push(`computed in ${seconds.toFixed(1)} s, seed ${job.request.seed}`);
  return `${parts.join("; ")}.`;
}

$("cancel").addEventListener("click", async () => {
  $("cancel").disabled = true;
  try {
    await send(job.links.self, { method: "DELETE" });
  } catch (error) {
    say($("job-summary"), error.message);
  } finally {
    $("cancel").disabled = false;
  }
});
