// The way of a graph from noise: the frames of an SVG, one of them visible at a time, and in the end the graph's own picture.

import { getText } from "./api.js";
import { $, onClick, say, themeName } from "./dom.js";

const FRAME_MILLISECONDS = 120;
let timer;
let film; // {place, path, picture, svg, frames}

/** Offer the film of the graph whose picture is in `place`; it is fetched when it is played. */
export function offerFilm(place, path) {
  film = { place, path, picture: place.firstElementChild };
  $("scrubber").max = 1;
  $("scrubber").value = 1;
  say($("frame"), "its way from noise");
  $("film-controls").hidden = false;
}

export function closeFilm() {
  pause();
  film = undefined;
  $("film-controls").hidden = true;
}

/** Fetch the film if it is not there yet; false if it was closed meanwhile. */
async function ready() {
  const wanted = film;
  if (!wanted.frames) {
    const text = await getText(`${wanted.path}/trajectory?format=svg&theme=${themeName()}`);
    const svg = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
    for (const animation of svg.querySelectorAll("animate")) animation.remove();
    Object.assign(wanted, { svg, frames: [...svg.querySelectorAll(".frame")] });
  }
  if (wanted !== film) return false;
  $("scrubber").max = film.frames.length;
  return true;
}

/** Show a frame; the one after the last is the graph's picture. */
function show(number) {
  const { frames, place, picture, svg } = film;
  const isOver = number === frames.length;
  place.replaceChildren(isOver ? picture : svg);
  frames.forEach((frame, at) => frame.setAttribute("visibility", at === number ? "visible" : "hidden"));
  $("scrubber").value = number;
  const words = isOver ? "the graph" : `frame ${number + 1} of ${frames.length}: step ${frames[number].dataset.step}, t = ${frames[number].dataset.t}`;
  say($("frame"), words);
  $("scrubber").setAttribute("aria-valuetext", words);
}

async function play() {
  if (!(await ready())) return;
  clearTimeout(timer);
  $("play").textContent = "Pause";
  const { frames } = film;
  const next = () => {
    if (!film) return;
    const number = Number($("scrubber").value);
    if (number >= frames.length) return pause();
    show(number + 1);
    timer = setTimeout(next, FRAME_MILLISECONDS);
  };
  if (Number($("scrubber").value) >= frames.length || film.place.firstElementChild === film.picture) show(0);
  timer = setTimeout(next, FRAME_MILLISECONDS);
}

function pause() {
  clearTimeout(timer);
  timer = undefined;
  $("play").textContent = "Play";
}

async function scrub() {
  pause();
  // Before the film is there the slider has two places, its beginning and its end.
  const share = Number($("scrubber").value) / Number($("scrubber").max);
  if (await ready()) show(Math.round(share * film.frames.length));
}

const showError = (error) => say($("graph-problem"), error.message);
onClick($("play"), () => (timer === undefined ? play() : pause()), showError);
$("scrubber").addEventListener("input", () => scrub().catch(showError));
