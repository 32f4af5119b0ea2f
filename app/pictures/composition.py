"""From a graph to its scene: where its nodes stand, and what their colours tell.

Colours tell the types of nodes, if there are several. If there is one alone, they tell what else there is to see: the
levels of a tree, or communities, if few edges join them (as found by Blondel et al. 2008). They are
those of Okabe & Ito, which all can tell apart, and letters or a legend say the same.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import networkx as nx

from app.pictures.layout import Positions, lay_out, rings
from app.pictures.scene import Circle, Lines, Point, Scene, Shape, Text, Theme
from app.schemas import Graph, Trajectory
from models.card.config import MASK_TYPE

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
_EDGE_COLOURS = PALETTE[5::-1]  # less yellow, which is hard to see as a line
ELEMENTS = {"H": "#c9ced4", "C": "#5b646e", "N": "#0072b2", "O": "#d55e00", "F": "#009e73"}
_WIDTHS = {"double": 2.2, "triple": 3.4}
_DASHED = {"aromatic"}
# Viridis without its darkest and its lightest part, from the middle of a tree outwards.
_LEVELS = ("#46327e", "#365c8d", "#277f8e", "#1fa187", "#3fbc73")
_MASKED = "#9aa4ae"
# Where more of the edges than this are between communities, or there are fewer edges for each node, there are none to be seen.
_BETWEEN = 0.15
_EDGES_PER_NODE = 1.5
_MARGIN = 0.06
_LEAST_RADIUS = 1.5
_LEGEND_HEIGHT = 24
_SMALLEST_WITH_LEGEND = 300
_SMALLEST_SCALE = 0.6
_TEXT_SIZE = 13


@dataclass(frozen=True)
class Vocabulary:
    """The types of a model's nodes and edges: each has the same colour in all of the model's graphs."""

    node_types: Sequence[str] = ()
    edge_types: Sequence[str] = ()

    def of(self, graph: Graph) -> "Vocabulary":
        """With the types that a graph has beside these, in alphabetical order."""
        nodes, edges = ({part["type"] for part in parts} for parts in (graph.nodes, graph.edges))
        return Vocabulary(
            [*self.node_types, *sorted(nodes - set(self.node_types))],
            [*self.edge_types, *sorted(edges - set(self.edge_types))],
        )


NO_TYPES = Vocabulary()


@dataclass(frozen=True)
class Look:
    """How the nodes of a graph are shown: `positions` (n, 2) in any unit, and if their colours do not tell types, `colours` and what they tell."""

    positions: Positions
    colours: tuple[str, ...] | None = None
    caption: str = ""
    num_rings: int = 0


def look_at(graph: Graph, vocabulary: Vocabulary) -> Look:
    """The look of a graph; where there are types, colours are theirs."""
    index = {node["id"]: place for place, node in enumerate(graph.nodes)}
    edges = [(index[edge["source"]], index[edge["target"]]) for edge in graph.edges]
    if "valid" in graph.graph or len(vocabulary.of(graph).node_types) > 1:
        return Look(lay_out(len(index), edges))
    drawn = nx.Graph(edges)
    drawn.add_nodes_from(range(len(index)))
    if len(index) > 2 and nx.is_tree(drawn):
        positions, levels = rings(drawn)
        most = max(levels)
        colours = tuple(_LEVELS[round(level / most * (len(_LEVELS) - 1))] for level in levels)
        return Look(positions, colours, f"a tree of {most} levels about its middle", most)
    if groups := _communities(drawn):
        colours = tuple(PALETTE[group % len(PALETTE)] for group in groups)
        return Look(lay_out(len(index), edges, groups), colours, f"{max(groups) + 1} communities")
    return Look(lay_out(len(index), edges))


def compose(graph: Graph, look: Look, vocabulary: Vocabulary, *, size: int, theme: Theme) -> Scene:
    """The scene of a graph, `size` pixels wide and high."""
    return _Composer(graph, look, vocabulary, size, theme).scene(graph.nodes, graph.edges)


def compose_film(
    graph: Graph, trajectory: Trajectory, look: Look, vocabulary: Vocabulary, *, size: int, theme: Theme
) -> list[Scene]:
    """A scene for each frame, the nodes where they are in the end."""
    composer = _Composer(graph, look, vocabulary, size, theme)
    return [composer.scene(frame.nodes, frame.edges, f"t = {frame.t}") for frame in trajectory.frames]


def _communities(graph: nx.Graph) -> list[int] | None:
    """Each node's community, the largest first; none if the graph does not fall into any."""
    if graph.number_of_edges() < _EDGES_PER_NODE * len(graph):
        return None
    found = sorted(nx.community.louvain_communities(graph, seed=0), key=lambda group: (-len(group), min(group)))
    number_of = {node: number for number, group in enumerate(found) for node in group}
    between = sum(number_of[i] != number_of[j] for i, j in graph.edges)
    if len(found) < 2 or between > _BETWEEN * graph.number_of_edges():
        return None
    return [number_of[node] for node in range(len(graph))]


class _Composer:
    def __init__(self, graph: Graph, look: Look, vocabulary: Vocabulary, size: int, theme: Theme) -> None:
        self.look, self.size, self.theme = look, size, theme
        self.is_molecule = "valid" in graph.graph
        self.is_invalid = self.is_molecule and not graph.graph["valid"]
        self.title = f"{graph.graph['model']}, nodes {len(graph.nodes)}, edges {len(graph.edges)}"
        types = vocabulary.of(graph)
        self.has_types = look.colours is None and (self.is_molecule or len(types.node_types) > 1)
        self.colours = _colours(types.node_types, self.is_molecule)
        has_edge_types = len(types.edge_types) > 1 and not self.is_molecule
        self.edge_colours = dict(zip(types.edge_types, cycle(_EDGE_COLOURS), strict=False)) if has_edge_types else {}
        self.dashed = _DASHED | set(types.edge_types[len(_EDGE_COLOURS) :])
        has_legend = size >= _SMALLEST_WITH_LEGEND and (self.has_types or has_edge_types or bool(look.caption))
        self.height_of_legend = _LEGEND_HEIGHT if has_legend else 0
        self.radius = max(min(size / (7 * max(len(graph.nodes), 1) ** 0.5), size / 24), _LEAST_RADIUS)
        self.points, self.centre, self.unit = self._fit()
        if look.num_rings:
            # Between two levels there is an edge to be seen.
            self.radius = max(min(self.radius, 0.33 * self.unit), _LEAST_RADIUS)

    def scene(self, nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], words: str = "") -> Scene:
        index = {node["id"]: place for place, node in enumerate(nodes)}
        shapes: list[Shape] = [
            Circle(self.centre, ring * self.unit, None, self.theme.faint) for ring in range(1, self.look.num_rings + 1)
        ]
        kinds: dict[str, list[tuple[Point, Point]]] = {}
        for edge in edges:
            ends = self.points[index[edge["source"]]], self.points[index[edge["target"]]]
            kinds.setdefault(edge["type"], []).append(ends)
        shapes += [self._lines(kind, ends) for kind, ends in sorted(kinds.items()) if kind != MASK_TYPE]
        for place, node in enumerate(nodes):
            shapes += self._node(place, node["type"])
        shapes += self._legend({node["type"] for node in nodes}, set(kinds))
        if self.is_invalid:
            shapes.append(Text((10, 14), "not a valid molecule", _TEXT_SIZE, self.theme.warning, "start"))
        if words:
            shapes.append(Text((self.size - 44, 14), words, _TEXT_SIZE, self.theme.ink))
        return Scene(self.size, self.size, self.theme.background, tuple(shapes), self.title)

    def _fit(self) -> tuple[list[Point], Point, float]:
        """The nodes' places in pixels, where the middle is, and how many pixels are one unit of the positions."""
        positions, width = self.look.positions, float(self.size)
        height = width - self.height_of_legend
        if not len(positions):
            return [], (width / 2, height / 2), 1.0
        room = 2 * (_MARGIN * width + self.radius)
        if reach := self.look.num_rings:
            low, high = positions.min(0) * 0 - reach, positions.max(0) * 0 + reach
        else:
            low, high = positions.min(0), positions.max(0)
        extent = [max(float(side), 1e-9) for side in high - low]
        # A few nodes need not fill the whole picture.
        unit = min((width - room) / extent[0], (height - room) / extent[1], 0.28 * width)
        middle = (low + high) / 2
        points = [
            (width / 2 + unit * float(x - middle[0]), height / 2 - unit * float(y - middle[1])) for x, y in positions
        ]
        return points, (width / 2, height / 2), unit

    def _lines(self, kind: str, ends: Iterable[tuple[Point, Point]]) -> Lines:
        width = min(max(0.14 * self.radius, 0.5), 2.0) * _WIDTHS.get(kind, 1.0)
        return Lines(tuple(ends), self.edge_colours.get(kind, self.theme.line), width, kind in self.dashed)

    def _node(self, place: int, kind: str) -> Iterable[Shape]:
        fill = self._fill(kind) if self.look.colours is None else self.look.colours[place]
        yield Circle(self.points[place], self.radius, fill, self.theme.background)
        if self.has_types and self.radius >= 6:
            letters = "?" if kind == MASK_TYPE else kind[:2]
            yield Text(self.points[place], letters, self.radius, _ink_on(fill))

    def _fill(self, kind: str) -> str:
        return _MASKED if kind == MASK_TYPE else self.colours.get(kind, PALETTE[0])

    def _legend(self, node_types: Set[str], edge_types: Set[str]) -> Iterable[Shape]:
        if not self.height_of_legend:
            return
        middle = self.size - self.height_of_legend / 2
        if self.look.caption:
            yield Text((self.size / 2, middle), self.look.caption, _TEXT_SIZE, self.theme.ink)
            return
        dots = [kind for kind in [*self.colours, MASK_TYPE] if kind in node_types] if self.has_types else []
        lines = [kind for kind in self.edge_colours if kind in edge_types]
        entries = dots + lines
        widths = [28 + 0.62 * _TEXT_SIZE * len(kind) for kind in entries]
        # What is too much for one line is written smaller, and what is too much even then is left out.
        scale = max(min(1.0, (self.size - 16) / sum(widths)), _SMALLEST_SCALE) if widths else 1.0
        while entries and scale * sum(widths) > self.size - 16:
            entries, widths = entries[:-1], widths[:-1]
        left = (self.size - scale * sum(widths)) / 2
        for number, (kind, width) in enumerate(zip(entries, widths, strict=True)):
            if number < len(dots):
                yield Circle((left + 10 * scale, middle), 5 * scale, self._fill(kind))
            else:
                yield self._lines(kind, [((left + 3 * scale, middle), (left + 16 * scale, middle))])
            yield Text((left + 20 * scale, middle), kind, _TEXT_SIZE * scale, self.theme.ink, "start")
            left += width * scale


def _colours(types: Sequence[str], is_molecule: bool) -> dict[str, str]:
    """A colour for each type; charges do not change an atom's."""
    rest = cycle(PALETTE)
    if not is_molecule:
        return dict(zip(types, rest, strict=False))
    elements = {kind: kind.rstrip("+-0123456789") for kind in types}
    others = dict(zip(sorted(set(elements.values()) - set(ELEMENTS)), rest, strict=False))
    return {kind: (ELEMENTS | others)[element] for kind, element in elements.items()}


def _ink_on(fill: str) -> str:
    """Black or white, whichever is easier to read on a colour (WCAG 2.2, relative luminance)."""
    channels = [int(fill[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.18 else "#ffffff"
