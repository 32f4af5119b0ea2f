"""Two things measured in one run, turn by turn where they can be, so that whatever else the machine does falls on both."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Comparison:
    """A figure beside the one that it is held against."""

    part: str
    what: str
    figure: float
    against: str
    base: float
    unit: str
    ratio: float
    ratio_is: Literal["figure/base", "base/figure", "exponent"]
    wanted: str = ""
    """What the ratio or the figure must reach, if anything."""
    reached: bool | None = None


def alternate(rounds: int, contestants: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The median of what each measures, after one turn that does not count."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, measure in contestants.items():
            value = measure()
            if number > 0:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def show(rows: Sequence[Comparison]) -> None:
    """Print the table."""
    table = Table("", "measured", "figure", "against", "figure", "ratio", "wanted")
    for row in rows:
        verdict = "" if row.reached is None else (" ✓" if row.reached else " ✗")
        table.add_row(
            row.part,
            row.what,
            f"{row.figure:.3g} {row.unit}",
            row.against,
            f"{row.base:.3g} {row.unit}",
            f"{row.ratio:.2f}" + (" (exponent)" if row.ratio_is == "exponent" else ""),
            row.wanted + verdict,
        )
    Console().print(table)


def percentile_99(values: Sequence[float]) -> float:
    """The value that no more than one in a hundred exceed; of fewer than a hundred, the largest."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]
