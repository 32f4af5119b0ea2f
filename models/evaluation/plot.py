"""A picture of steering: where a property lies in the training set, and in graphs that were steered to each target."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from models.card import Property
from models.data import qm9

KINDS = (".svg", ".png", ".pdf")

_BINS = 60
# The picture reaches from the lowest of the first quantiles to the highest of the second.
_SHOWN = (0.001, 0.999)
_COLOURS = ("#4477aa", "#228833", "#ee6677", "#ccbb44", "#aa3377", "#66ccee")


def plot_targets(steered: Mapping[float, Sequence[float]], described: Property, path: Path, *, title: str) -> None:
    """Write the densities of a QM9 property as a picture; the ending of `path` says of which of `KINDS`.

    `steered`: target -> the values of the graphs that were steered there.
    """
    names = [source.name for source in qm9.PROPERTIES]
    training = qm9.load_properties()["train"][:, names.index(described.name)].numpy()
    ends = [np.quantile(np.asarray(values), _SHOWN) for values in (training, *steered.values())]
    low, high = min(float(end[0]) for end in ends), max(float(end[1]) for end in ends)
    edges = np.linspace(low, high, _BINS + 1).tolist()
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.hist(training, edges, density=True, color="#bbbbbb", label="training set")
    for (target, values), colour in zip(steered.items(), cycle(_COLOURS)):
        axes.hist(values, edges, density=True, histtype="stepfilled", alpha=0.35, color=colour)
        axes.hist(values, edges, density=True, histtype="step", color=colour, label=f"steered to {target:g}")
        axes.axvline(target, color=colour, linestyle="--", linewidth=1)
    axes.set_title(title)
    axes.set_xlabel(f"{described.name} ({described.unit})" if described.unit else described.name)
    axes.set_ylabel("density")
    axes.set_xlim(low, high)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    # Without a date and random names in it, the same numbers give the same file.
    with mpl.rc_context({"svg.hashsalt": "digress"}):
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
