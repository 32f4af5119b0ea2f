// Talking to the service: with the key, in the words of its problem documents, and by its server-sent events.

const KEY = "digress-key";
const RETRY_SECONDS = [1, 2, 4, 8, 10];

/** An answer that is no success; `document` is what the service said of it (RFC 9457). */
export class Problem extends Error {
  constructor(document) {
    super(document.detail);
    this.document = document;
    this.status = document.status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** The response to a request; throws a Problem if it is no success, or if there is none. */
export async function send(path, { headers = {}, ...options } = {}) {
  const all = new Headers(headers);
  if (key.get()) all.set("Authorization", `Bearer ${key.get()}`);
  let response;
  try {
    response = await fetch(path, { ...options, headers: all });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw noAnswer();
  }
  if (response.ok) return response;
  if (response.status === 401) document.dispatchEvent(new Event("key-needed"));
  throw new Problem(await readProblem(response));
}

const noAnswer = () =>
  new Problem({ status: 0, title: "No answer", detail: "the service does not answer; try again in a moment", errors: [] });

async function readProblem(response) {
  const other = { status: response.status, title: response.statusText, detail: `the service answered ${response.status}`, errors: [] };
  if (!response.headers.get("Content-Type")?.includes("json")) return other;
  return { ...other, ...(await response.json().catch(() => ({}))) };
}

/** A whole answer; one that is cut off is none. */
async function read(path, options, as) {
  const response = await send(path, options);
  try {
    return await response[as]();
  } catch (error) {
    throw error.name === "AbortError" ? error : noAnswer();
  }
}

export const getJson = (path, options) => read(path, options, "json");
export const getBlob = (path, options) => read(path, options, "blob");
export const getText = (path, options) => read(path, options, "text");

export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Ask for a job. Where no answer comes it is asked for again, by a key that makes it the same job. */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
  for (const seconds of [1, 2, null]) {
    try {
      return await getJson(path, { method: "POST", headers, body: JSON.stringify(body) });
    } catch (error) {
      if (error.status !== 0 || seconds === null) throw error;
      await pause(seconds);
    }
  }
}

/**
 * The events of a job, as {name, data}, up to its last one. Where the connection is lost it says so by {name: "lost"},
 * and goes on after the last event that came.
 */
export async function* events(path, signal) {
  let last = "";
  for (let losses = 0; ; ) {
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const response = await send(path, { headers, signal });
      for await (const event of parse(response.body)) {
        losses = 0;
        last = event.id ?? last;
        yield event;
        if (["succeeded", "failed", "canceled"].includes(event.name)) return;
      }
    } catch (error) {
      if (signal.aborted || (error.status >= 400 && error.status < 500)) throw error;
    }
    yield { name: "lost" };
    const seconds = RETRY_SECONDS[Math.min(losses++, RETRY_SECONDS.length - 1)];
    await pause(seconds);
    signal.throwIfAborted();
  }
}

/** Server-sent events of a stream of bytes (HTML Living Standard, section 9.2.6), as far as this service writes them. */
async function* parse(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split(/\r?\n/).map((line) => [line.split(":", 1)[0], line.replace(/^[^:]*: ?/, "")]));
      if (fields.data) yield { id: fields.id, name: fields.event, data: JSON.parse(fields.data) };
    }
  }
}
