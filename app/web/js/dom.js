// Small things that all parts of the page need: elements, words, files.

export const $ = (id) => document.getElementById(id);

/** A new element with attributes (properties for what is no string) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "string") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

export const theme = matchMedia("(prefers-color-scheme: dark)");
export const themeName = () => (theme.matches ? "dark" : "light");

export const plural = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

/** A number in few digits. */
export const short = (value) => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4))));

/** A span of time, as people say it. */
export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return plural(Math.round(seconds), "second");
  if (seconds < 5400) return plural(Math.round(seconds / 60), "minute");
  return plural(Math.round(seconds / 3600), "hour");
}

export function say(element, words) {
  element.textContent = words ?? "";
  element.hidden = !words;
}

/** Have the browser save something under a name. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Put text on the clipboard, and say on the button for a while that it is there. */
export async function copy(text, button) {
  const words = button.dataset.words ?? (button.dataset.words = button.textContent);
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without a secure connection browsers give pages no clipboard.
    const area = make("textarea", { value: text, readOnly: true });
    (button.closest("dialog") ?? document.body).append(area);
    area.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Cannot copy here";
    area.remove();
  }
  setTimeout(() => (button.textContent = words), 1500);
}

/** Call `work` when a button is clicked, and not again before it is done; what goes wrong is given to `onError`. */
export function onClick(button, work, onError) {
  let isBusy = false;
  button.addEventListener("click", async () => {
    if (isBusy || button.getAttribute("aria-disabled") === "true") return;
    isBusy = true;
    try {
      await work();
    } catch (error) {
      onError(error);
    } finally {
      isBusy = false;
    }
  });
}
