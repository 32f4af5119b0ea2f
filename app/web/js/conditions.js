// What graphs must be, beyond the checkboxes: SMARTS, bounds of properties. Each is a chip that can be taken away.

import { $, make } from "./dom.js";

const PROPERTIES = {
  mw: "molecular weight", logp: "logP", qed: "QED", tpsa: "polar surface (TPSA)", hbd: "H-bond donors", hba: "H-bond acceptors",
  rotatable_bonds: "rotatable bonds", rings: "rings", sa: "synthetic accessibility (SA)", heavy_atoms: "heavy atoms",
};
const PATTERNS = { contains: "contains", lacks: "lacks" };
let wanted = {}; // as in `filter`

function said({ min, max }) {
  const [low, high] = [min ?? null, max ?? null];
  if (low === null) return `at most ${high}`;
  return high === null ? `at least ${low}` : `${low} to ${high}`;
}

/** [reason of `summary.refused`, words] of each condition of a filter that is no checkbox. */
export function wordsOf({ contains = [], lacks = [], properties = {}, similarity, diverse }) {
  const patterns = Object.entries({ contains, lacks }).filter(([, all]) => all.length);
  return [
    ...patterns.map(([name, all]) => [name, `${PATTERNS[name]} ${all.join(", ")}`]),
    ...Object.entries(properties).map(([name, bounds]) => [name, `${PROPERTIES[name] ?? name} ${said(bounds)}`]),
    ...(similarity ? [["similarity", `similarity to ${similarity.smiles} ${said(similarity)}`]] : []),
    ...(diverse ? [["diverse", `no two nearer than ${diverse}`]] : []),
  ];
}

/** Take the conditions of a filter; the checkboxes are somebody else's. */
export function fillConditions({ contains, lacks, properties, similarity, diverse } = {}) {
  wanted = { contains, lacks, properties, similarity, diverse };
  show();
}

/** The conditions, as in `filter`. */
export const readConditions = () =>
  Object.fromEntries(Object.entries(wanted).filter(([, value]) => value && (typeof value === "number" || Object.keys(value).length)));

function show() {
  const chips = [];
  const add = (words, remove) => chips.push(chip(words, remove));
  for (const name of Object.keys(PATTERNS)) {
    for (const pattern of wanted[name] ?? []) {
      add(`${PATTERNS[name]} ${pattern}`, () => ({ ...wanted, [name]: wanted[name].filter((one) => one !== pattern) }));
    }
  }
  for (const name of Object.keys(wanted.properties ?? {})) {
    const { [name]: bounds, ...others } = wanted.properties;
    add(`${PROPERTIES[name] ?? name} ${said(bounds)}`, () => ({ ...wanted, properties: others }));
  }
  for (const [name, words] of wordsOf({ similarity: wanted.similarity, diverse: wanted.diverse })) {
    add(words, () => ({ ...wanted, [name]: undefined }));
  }
  $("conditions").replaceChildren(...chips);
  $("conditions").hidden = chips.length === 0;
}

function chip(words, remove) {
  const button = make("button", { type: "button", "aria-label": `Take away: ${words}` }, "×");
  button.addEventListener("click", () => {
    wanted = remove();
    show();
    $("condition-kind").focus();
  });
  return make("li", { class: "chip" }, make("span", {}, words), button);
}

const isPattern = () => $("condition-kind").value in PATTERNS;
const bound = (id) => ($(id).value === "" ? undefined : Number($(id).value));

function showFields() {
  $("condition-pattern-field").hidden = !isPattern();
  $("condition-bounds").hidden = isPattern();
}

function addCondition() {
  const name = $("condition-kind").value;
  if (isPattern()) {
    const pattern = $("condition-pattern").value.trim();
    if (!pattern) return $("condition-pattern").focus();
    wanted = { ...wanted, [name]: [...new Set([...(wanted[name] ?? []), pattern])] };
  } else {
    const bounds = Object.fromEntries(Object.entries({ min: bound("condition-min"), max: bound("condition-max") }).filter(([, value]) => value !== undefined));
    if (!Object.keys(bounds).length) return $("condition-min").focus();
    wanted = { ...wanted, properties: { ...wanted.properties, [name]: bounds } };
  }
  for (const id of ["condition-pattern", "condition-min", "condition-max"]) $(id).value = "";
  show();
}

$("condition-kind").replaceChildren(
  ...Object.entries(PATTERNS).map(([name, words]) => new Option(`${words} (SMARTS)`, name)),
  ...Object.entries(PROPERTIES).map(([name, words]) => new Option(words, name)),
);
$("condition-kind").addEventListener("change", showFields);
$("condition-add").addEventListener("click", addCondition);
for (const id of ["condition-pattern", "condition-min", "condition-max"]) {
  $(id).addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // the request is not sent yet
    addCondition();
  });
}
showFields();
