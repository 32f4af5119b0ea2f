"""A molecular formula, in Hill notation or any other order: "C7NO2" names the heavy atoms, "C7H9NO2" the hydrogens too."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rdkit import Chem

from models.given.partial import GivenError, PartialGraph, count_known

_TERM = re.compile(r"([A-Z][a-z]?)(\d{0,4})")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d{0,4})+")


@dataclass(frozen=True)
class Formula:
    """How many atoms of each element; `hydrogens` is None where the formula does not name them."""

    heavy_atoms: Mapping[str, int]
    hydrogens: int | None

    @property
    def num_heavy_atoms(self) -> int:
        """Atoms other than hydrogen."""
        return sum(self.heavy_atoms.values())


def parse_formula(text: str) -> Formula:
    """The formula that a text names.

    Raises:
        GivenError: if it is none, or no molecule has so many hydrogens.
    """
    if not _FORMULA.fullmatch(text):
        raise GivenError(
            f"{text[:80]!r} is no formula; write elements and how many of each, like 'C7H9NO2', without charges"
        )
    counts: dict[str, int] = {}
    for element, count in _TERM.findall(text):
        counts[element] = counts.get(element, 0) + int(count or 1)
    hydrogens = counts.pop("H", None)
    heavy = {element: count for element, count in counts.items() if count}
    if not heavy:
        raise GivenError(f"{text!r} has no atom but hydrogen; write elements and how many of each, like 'C7H9NO2'")
    formula = Formula(heavy, hydrogens)
    _check_hydrogens(text, formula)
    return formula


def with_formula(part: PartialGraph, formula: Formula, node_types: Sequence[str]) -> PartialGraph:
    """The part, with all further atoms of the formula: each a neutral atom whose bonds are open.

    Raises:
        GivenError: if the model does not draw an element, or the part has atoms that the formula lacks.
    """
    wanted = dict(formula.heavy_atoms)
    if "H" in node_types:
        if formula.hydrogens is None:
            raise GivenError("the model draws hydrogens, so the formula must name them, like 'C7H9NO2'")
        wanted["H"] = formula.hydrogens
    if unknown := [element for element in wanted if element not in node_types]:
        neutral = [label for label in node_types if label.isalpha()]
        raise GivenError(f"the model does not draw {', '.join(unknown)}; it draws {', '.join(neutral)}")
    further = {node_types.index(element): count for element, count in wanted.items()}
    for category, count in count_known(part).items():
        label = node_types[category]
        if further.get(category, 0) < count:
            raise GivenError(f"the part has {count} {label}, and the formula {further.get(category, 0)}")
        further[category] -= count
    return part.with_further(further)


def _check_hydrogens(text: str, formula: Formula) -> None:
    """Valences decide how many hydrogens there may be at most, and whether their number is even."""
    if formula.hydrogens is None:
        return
    table = Chem.GetPeriodicTable()
    try:
        valences = {element: [v for v in table.GetValenceList(element) if v > 0] for element in formula.heavy_atoms}
    except RuntimeError as error:
        raise GivenError(f"{text!r} has an element that does not exist: {error}") from error
    total = 0
    for element, count in formula.heavy_atoms.items():
        total += count * max(valences[element], default=0)
    most = total - 2 * (formula.num_heavy_atoms - 1)
    if formula.hydrogens > max(most, 0):
        raise GivenError(f"no connected molecule {text!r}: its heavy atoms hold at most {max(most, 0)} hydrogens")
    if (formula.hydrogens - total) % 2:
        raise GivenError(
            f"no molecule {text!r} without charges: with these heavy atoms the number of hydrogens is "
            + ("odd" if total % 2 else "even")
        )
