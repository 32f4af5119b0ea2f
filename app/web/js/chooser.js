// A molecule or graph whose nodes are chosen by mouse or keyboard. The service draws it and writes the part: nothing here knows chemistry.

import { getJson } from "./api.js";
import { make, theme, themeName } from "./dom.js";

const SIZE = 480;
const LARGEST = 10; // of the picture's width, in per cent
const ARROWS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

/**
 * A picture in `place` with a button on every node, which keeps it or leaves it out, or opens and closes it where `opens()`.
 * `onAnswer` is told the part that is chosen, `onError` what went wrong.
 */
export function makeChooser(place, { startsEmpty = false, opens = () => false, onAnswer, onError }) {
  const image = make("img", { alt: "" });
  const nodes = make("div", { class: "nodes", role: "group" });
  place.replaceChildren(image, nodes);
  let turn = 0;
  let source; // {model, smiles} or {model, graph}
  let answer;
  let choice;

  /** Ask for the part that a choice makes; one that cannot be is forgotten. */
  async function ask(wanted) {
    const now = ++turn;
    const { model, ...whole } = source;
    const keep = wanted.keep && [...wanted.keep];
    const body = { ...whole, keep, open: [...wanted.open], closed: [...wanted.closed], size: SIZE, theme: themeName() };
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    try {
      const found = await getJson(`/models/${model}/parts`, options);
      if (now !== turn) return;
      [answer, choice] = [found, wanted];
      draw();
      onAnswer(answer, wanted);
    } catch (error) {
      if (now === turn) onError(error);
    }
  }

  function draw() {
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(new Blob([answer.svg], { type: "image/svg+xml" }));
    const size = Math.min(LARGEST, (90 * nearest(answer.nodes)) / SIZE);
    while (nodes.children.length > answer.nodes.length) nodes.lastChild.remove();
    while (nodes.children.length < answer.nodes.length) nodes.append(button(nodes.children.length));
    answer.nodes.forEach((node, number) => {
      const one = nodes.children[number];
      const state = !node.kept ? "left out" : node.open ? "kept, open" : "kept, closed";
      one.setAttribute("aria-label", `${node.type} ${number + 1}: ${state}`);
      one.title = state;
      one.style.left = `${(100 * node.x) / SIZE}%`;
      one.style.top = `${(100 * node.y) / SIZE}%`;
      one.style.width = one.style.height = `${size}%`;
    });
    const kept = answer.nodes.filter((node) => node.kept).length;
    nodes.setAttribute("aria-label", `Nodes: ${kept} of ${answer.nodes.length} kept`);
    // One stop of the Tab key; arrows lead on.
    if (!nodes.querySelector("[tabindex='0']") && nodes.firstChild) nodes.firstChild.tabIndex = 0;
  }

  function button(number) {
    const one = make("button", { type: "button", tabIndex: -1 });
    one.addEventListener("click", () => {
      focus(number);
      ask(changed(number));
    });
    return one;
  }

  function focus(number) {
    for (const one of nodes.children) one.tabIndex = -1;
    nodes.children[number].tabIndex = 0;
    nodes.children[number].focus();
  }

  /** The choice with a node kept or left out, or opened or closed. */
  function changed(number) {
    const { kept, open } = answer.nodes[number];
    const next = {
      keep: new Set(choice.keep ?? answer.nodes.keys()),
      open: without(choice.open, number),
      closed: without(choice.closed, number),
    };
    if (!kept) next.keep.add(number);
    else if (opens()) next[open ? "closed" : "open"].add(number);
    else next.keep.delete(number);
    return next;
  }

  nodes.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    event.stopPropagation(); // in a dialog arrows lead to other graphs
    const all = [...nodes.children];
    const number = all.indexOf(document.activeElement) + ARROWS[event.key];
    focus((number + all.length) % all.length);
  });
  theme.addEventListener("change", () => answer && ask(choice));

  return {
    /** Draw {model, smiles} or {model, graph}. */
    show(whole) {
      source = whole;
      return ask({ keep: startsEmpty ? new Set() : null, open: new Set(), closed: new Set() });
    },
    /** Show nothing, and forget what was asked. */
    clear() {
      turn++;
      answer = undefined;
      URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
      nodes.replaceChildren();
    },
  };
}

const without = (numbers, number) => new Set([...numbers].filter((one) => one !== number));

/** The least distance between two nodes, in pixels. */
function nearest(nodes) {
  let least = SIZE;
  nodes.forEach((a, i) => {
    for (const b of nodes.slice(i + 1)) least = Math.min(least, Math.hypot(a.x - b.x, a.y - b.y));
  });
  return least;
}
