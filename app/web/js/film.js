// The way of a graph from noise: the frames of an SVG, one of them visible at a time.

import { getText } from "./api.js";
import { $, themeName } from "./dom.js";

const FRAME_MILLISECONDS = 120;
const LAST_MILLISECONDS = 1600;
const still = matchMedia("(prefers-reduced-motion: reduce)");
let timer;
let frames = [];

/** Show the film of a graph in `place`, and play it, unless the reader would rather have things stand still. */
export async function showFilm(place, path) {
  const text = await getText(`${path}/trajectory?format=svg&theme=${themeName()}`);
  const svg = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  for (const animation of svg.querySelectorAll("animate")) animation.remove();
  place.replaceChildren(svg);
  frames = [...svg.querySelectorAll(".frame")];
  $("scrubber").max = frames.length - 1;
  $("film-controls").hidden = false;
  show(still.matches ? frames.length - 1 : 0);
  if (!still.matches) play();
}

export function closeFilm() {
  pause();
  frames = [];
  $("film-controls").hidden = true;
}

function show(number) {
  frames.forEach((frame, place) => frame.setAttribute("visibility", place === number ? "visible" : "hidden"));
  $("scrubber").value = number;
  const { step, t } = frames[number].dataset;
  const words = number === frames.length - 1 ? "the graph" : number === 0 ? "noise" : `step ${step}`;
  $("frame").textContent = `${words} (t = ${t}), frame ${number + 1} of ${frames.length}`;
  $("scrubber").setAttribute("aria-valuetext", $("frame").textContent);
}

function play() {
  pause();
  $("play").textContent = "Pause";
  const next = () => {
    const number = (Number($("scrubber").value) + 1) % frames.length;
    show(number);
    timer = setTimeout(next, number === frames.length - 1 ? LAST_MILLISECONDS : FRAME_MILLISECONDS);
  };
  timer = setTimeout(next, FRAME_MILLISECONDS);
}

function pause() {
  clearTimeout(timer);
  timer = undefined;
  $("play").textContent = "Play";
}

$("play").addEventListener("click", () => (timer === undefined ? play() : pause()));
$("scrubber").addEventListener("input", () => {
  pause();
  show(Number($("scrubber").value));
});
