// A slider for each property that a model can be steered to, over the histogram of its training set.

import { make, short } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const POSITIONS = 200;

/** Sliders in `place` for the properties of a card; `onChange` is called when one has moved. */
export function makeSliders(place, properties, onChange) {
  const sliders = properties.map((property) => new Slider(property, onChange));
  place.replaceChildren(...sliders.map((slider) => slider.element));
  return {
    /** Property -> value of those that are on; undefined if none is. */
    get targets() {
      const on = sliders.filter((slider) => slider.on.checked).map((slider) => [slider.name, slider.value]);
      return on.length ? Object.fromEntries(on) : undefined;
    },
    set targets(values) {
      for (const slider of sliders) slider.set(values?.[slider.name]);
    },
  };
}

class Slider {
  constructor({ name, description, unit, min, max, mean, histogram }, onChange) {
    this.name = name;
    this.unit = unit;
    this.on = make("input", { type: "checkbox" });
    this.output = make("output");
    // Inwards, so that the ends are within the range that the service accepts.
    const step = 10 ** Math.floor(Math.log10((max - min) / POSITIONS));
    const decimals = Math.max(0, -Math.log10(step));
    this.round = (value) => Number(value.toFixed(decimals));
    const [low, high] = [Math.ceil(min / step) * step, Math.floor(max / step) * step];
    this.range = make("input", {
      type: "range", "aria-label": `Wanted ${name}`, min: String(this.round(low)), max: String(this.round(high)), step: String(this.round(step)),
    });
    this.range.value = mean;
    const ends = [low, high].map((end) => make("span", { class: "hint" }, `${short(end)} ${unit}`));
    this.element = make(
      "div", { class: "slider", "data-field": `targets.${name}` },
      make("label", { class: "slider-name", title: description }, this.on, name, make("span", { class: "hint" }, description), this.output),
      ...(histogram.length ? [bars(histogram)] : []),
      this.range,
      make("div", { class: "ends" }, ...ends),
    );
    this.on.addEventListener("change", () => this.show(onChange));
    this.range.addEventListener("input", () => {
      this.on.checked = true;
      this.show(onChange);
    });
    this.show();
  }

  get value() {
    return this.exact ?? this.round(Number(this.range.value));
  }

  /** Aim at a value, or at none. One that the slider cannot show is kept, so that the service may say what is wrong with it. */
  set(value) {
    this.on.checked = value !== undefined;
    if (value !== undefined) this.range.value = value;
    this.exact = value;
    this.updateLabel();
  }

  show(onChange) {
    this.exact = undefined;
    this.updateLabel();
    onChange?.();
  }

  updateLabel() {
    this.element.classList.toggle("on", this.on.checked);
    const words = `${this.value} ${this.unit}`.trim();
    this.output.textContent = this.on.checked ? words : "";
    this.range.setAttribute("aria-valuetext", this.on.checked ? words : `${words}, not steered to`);
  }
}

/** Bars of a histogram, as wide as the slider below them. */
function bars(counts) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${counts.length} 1`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  const most = Math.max(...counts, 1);
  path.setAttribute("d", counts.map((count, bin) => `M${bin + 0.05} 1V${(1 - count / most).toFixed(4)}H${bin + 0.95}V1Z`).join(""));
  svg.append(path);
  return svg;
}
