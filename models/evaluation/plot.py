"""Plots: a model's samples, quality by the number of steps, and property values of guided graphs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import networkx as nx
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator, ScalarFormatter
from rdkit.Chem import rdDepictor
from torch import Tensor

from models.card.card import ModelCard, Property
from models.graphs import GraphBatch
from models.molecules import parse_atom_type, to_molecule

KINDS = (".svg", ".png", ".pdf")
# The name under which a PNG of a model holds a digest of its card (`drawn_from`).
DRAWN_FROM = "drawn-from"

_BINS = 60
# The picture reaches from the lowest of the first quantiles to the highest of the second.
_SHOWN = (0.001, 0.999)
_COLUMNS, _ROWS = 4, 3
# As chemists have them.
_ELEMENTS = {"H": "#bbbbbb", "C": "#444444", "N": "#4477aa", "O": "#ee6677", "F": "#228833"}
# What the curve is of, the first of these that a card has; lower is better.
_CURVES = {"ratio": "mean MMD ratio", "fcd": "Fréchet ChemNet distance"}
_WIDTHS = {"double": 2.4, "triple": 3.6}
_COLOURS = ("#4477aa", "#228833", "#ee6677", "#ccbb44", "#aa3377", "#66ccee")


def plot_targets(
    steered: Mapping[float, Sequence[float]],
    described: Property,
    path: Path,
    *,
    training: Float[Tensor, " molecules"],
    title: str,
) -> None:
    """Write the densities of a property as a picture; the ending of `path` says of which of `KINDS`.

    `steered`: target -> the values of the graphs that were steered there; `training`: those of the training set.
    """
    trained_on = training.numpy()
    ends = [np.quantile(np.asarray(values), _SHOWN) for values in (trained_on, *steered.values())]
    low, high = min(float(end[0]) for end in ends), max(float(end[1]) for end in ends)
    edges = np.linspace(low, high, _BINS + 1).tolist()
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.hist(trained_on, edges, density=True, color="#bbbbbb", label="training set")
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
    _save(figure, path)


def plot_model(card: ModelCard, graphs: Sequence[GraphBatch], path: Path) -> None:
    """Write a picture of the first dozen graphs, and beside it of the card's measurements by the number of steps."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    parts = figure.add_gridspec(1, 2, width_ratios=(3, 2))
    left, right = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    colours = _node_colours(card)
    shown = (graph for batch in graphs for graph in batch.labelled(card.node_types, card.edge_types))
    for axes, (types, edges) in zip(left.subplots(_ROWS, _COLUMNS).flat, shown, strict=False):
        _draw(axes, types, edges, colours, is_molecule=card.domain == "molecule")
    for axes in left.axes:
        axes.set_axis_off()
    if len(colours) > 1:
        handles = [Line2D([], [], marker="o", linestyle="", color=c, label=label) for label, c in colours.items()]
        left.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    left.suptitle(f"{card.name}: samples")
    plot_quality(right.add_subplot(), card)
    _save(figure, path, {DRAWN_FROM: drawn_from(card)})


def drawn_from(card: ModelCard) -> str:
    """A digest of what a picture of this card shows: what draws its samples, and what was measured."""
    # Without defaults, so that a setting which is new to cards makes no picture out of date.
    shown = {"version", "weights", "diffusion", "sampling", "metrics"}
    content = card.model_dump(mode="json", include=shown, exclude_defaults=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _node_colours(card: ModelCard) -> dict[str, str]:
    """A colour for each node type; atoms of one element are alike, whatever their charge."""
    rest = cycle(_COLOURS)
    if card.domain == "graph":
        return dict(zip(card.node_types, rest, strict=False))
    elements = {label: parse_atom_type(label)[0] for label in card.node_types}
    others = dict(zip(sorted(set(elements.values()).difference(_ELEMENTS)), rest, strict=False))
    return {label: (_ELEMENTS | others)[element] for label, element in elements.items()}


def _draw(
    axes: Axes,
    types: Sequence[str],
    edges: Sequence[tuple[int, int, str]],
    colours: Mapping[str, str],
    *,
    is_molecule: bool,
) -> None:
    if is_molecule:
        molecule = to_molecule(types, edges, hydrogens_are_drawn=True)
        rdDepictor.Compute2DCoords(molecule)
        places = molecule.GetConformer().GetPositions()[:, :2]
    else:
        graph = nx.Graph([(i, j) for i, j, _ in edges])
        graph.add_nodes_from(range(len(types)))
        layout = nx.spring_layout(graph, pos=nx.kamada_kawai_layout(graph), iterations=50, seed=0)
        places = np.array([layout[node] for node in range(len(types))])
    size = 60 / (1 + len(types) / 12)
    lines = LineCollection(
        [places[[i, j]] for i, j, _ in edges],
        linewidths=[(0.5 if len(types) > 30 else 1.0) * _WIDTHS.get(label, 1.0) for _, _, label in edges],
        colors="#888888",
        zorder=1,
    )
    axes.add_collection(lines)
    axes.scatter(places[:, 0], places[:, 1], s=size, c=[colours[label] for label in types], zorder=2)
    axes.set_aspect("equal")
    axes.margins(0.1)


def plot_quality(axes: Axes, card: ModelCard) -> None:
    """Draw what was measured of this version by the number of steps, a curve for each sampler and grid."""
    rows = [measured for measured in card.metrics if measured.version in {None, card.version}]
    name = next((name for name in _CURVES if any(name in measured.values for measured in rows)), None)
    if name is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing measured yet", ha="center", transform=axes.transAxes)
        return
    # Only what was measured on as many samples can be compared: as most rows were, and of those on the most samples.
    counts = [measured.num_graphs for measured in rows if name in measured.values]
    most = max(counts, key=lambda count: (counts.count(count), count))
    curves: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for m in rows:
        if m.num_graphs == most and name in m.values:
            sampler = m.sampler if m.eta is None else f"{m.sampler} {m.eta:g}"
            curves.setdefault((sampler, m.grid), []).append((m.num_steps, m.values[name]))
    for ((sampler, grid), points), colour in zip(sorted(curves.items()), cycle(_COLOURS)):
        style = "-" if grid == card.sampling.grid else ":"
        label = f"{sampler}, {grid}"
        axes.plot(*zip(*sorted(points), strict=True), style, marker="o", markersize=4, color=colour, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sorted({m.num_steps for m in rows}))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.set_xlabel("denoising steps")
    axes.set_ylabel(f"{_CURVES[name]}, {most:,} samples")
    axes.set_title(f"{card.name}: quality by steps")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _save(figure: Figure, path: Path, words: Mapping[str, str] | None = None) -> None:
    """Write `figure`; a PNG, which can hold any, with `words` in it."""
    # Without a date and random names in it, the same numbers give the same file.
    metadata = {".svg": {"Date": None}, ".png": words}.get(path.suffix)
    with mpl.rc_context({"svg.hashsalt": "digress"}):
        figure.savefig(path, dpi=140, metadata=metadata)
