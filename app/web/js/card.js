// A model's card on the page: what it is, how good it was measured to be, and a picture.

import { getBlob } from "./api.js";
import { $, make, save, short } from "./dom.js";

// What most say of a model, and how to call it here. Shares are written as per cent.
const MEASURES = {
  vun: ["valid, unique and novel", true],
  valid: ["valid", true],
  unique: ["unique", true],
  molecule_stable: ["stable molecules", true],
  fcd: ["Fréchet ChemNet distance", false],
  ratio: ["mean MMD ratio", false],
};
let shown;

/** Show a card. */
export async function showCard(card) {
  if (shown === card) return;
  shown = card;
  $("card").hidden = false;
  $("card-title").textContent = `${card.name} ${card.version}`;
  const isUnfinished = [card, ...card.regressors].some(({ training }) => training && !training.finished);
  $("card-description").textContent = isUnfinished ? `${card.description} Its training is unfinished.` : card.description;
  const quality = best(card);
  const known = Object.entries(MEASURES).filter(([name]) => quality && name in quality.values);
  $("quality").replaceChildren(
    ...known.map(([name, [words, isShare]]) => {
      const value = quality.values[name];
      return make("div", {}, make("dt", {}, words), make("dd", {}, isShare ? `${(100 * value).toFixed(1)} %` : short(value)));
    }),
  );
  $("quality-source").textContent = quality
    ? `Measured on ${quality.num_graphs.toLocaleString("en")} samples: ${quality.command}`
    : `Not measured yet: digress evaluate ${card.name} --save does.`;
  $("plot").hidden = true;
  try {
    const picture = await getBlob(`/models/${card.name}/plot`);
    if (shown !== card) return;
    URL.revokeObjectURL($("plot-image").src);
    $("plot-image").src = URL.createObjectURL(picture);
    $("plot-image").alt = `A dozen graphs of ${card.name}, and a curve of its quality by the number of steps`;
    $("plot").hidden = false;
  } catch (error) {
    if (error.status !== 404) throw error; // a model of one's own may have none
  }
}

/** What was measured of this version as the card samples by default, on the most samples. */
function best({ metrics, sampling, version }) {
  const own = metrics.filter(
    (row) =>
      (row.version === null || row.version === version) &&
      row.sampler === sampling.sampler && row.grid === sampling.grid && row.num_steps === sampling.num_steps &&
      (row.eta === null || row.eta === sampling.eta),
  );
  return own.toSorted((a, b) => b.num_graphs - a.num_graphs)[0];
}

$("card-file").addEventListener("click", () => {
  const text = JSON.stringify(shown, null, 2);
  save(new Blob([text], { type: "application/json" }), `${shown.name}-card.json`);
});
