"""From a graph and its appearance to a scene: circles, lines, letters and a legend at their pixels."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any, TypeAlias

from app.pictures.appearance import Appearance, Vocabulary, choose_appearance, given_nodes
from app.pictures.colours import EDGE_PALETTE, MASKED_COLOUR, PALETTE, node_colours, text_colour_on
from app.pictures.scene import Circle, Lines, Point, Scene, Shape, Text, Theme
from app.schemas import Graph, Trajectory
from models.card.config import MASK_TYPE

_EDGE_WIDTHS = {"double": 2.2, "triple": 3.4}
_DASHED_TYPES = {"aromatic"}
_MARGIN = 0.06
_MIN_RADIUS = 1.5
_LEGEND_HEIGHT = 24
MIN_SIZE_WITH_LEGEND = 300
_MIN_LEGEND_SCALE = 0.6
_TEXT_SIZE = 13
_HALO, _RING = 1.45, 1.75  # of a node's radius
# Draws the sign of an entry of a legend: from its left end, middle and scale.
_Sign: TypeAlias = Callable[[float, float, float], Iterable[Shape]]


def compose_scene(graph: Graph, appearance: Appearance, vocabulary: Vocabulary, *, size: int, theme: Theme) -> Scene:
    """The scene of a graph, `size` pixels wide and high, with what was given highlighted."""
    return _Composer(graph, appearance, vocabulary, size, theme).scene(graph.nodes, graph.edges)


def compose_animation(
    graph: Graph, trajectory: Trajectory, appearance: Appearance, vocabulary: Vocabulary, *, size: int, theme: Theme
) -> list[Scene]:
    """A scene for each frame, with the nodes where they are in the last one."""
    composer = _Composer(graph, appearance, vocabulary, size, theme)
    return [composer.scene(frame.nodes, frame.edges, f"t = {frame.t}") for frame in trajectory.frames]


def compose_choice(
    graph: Graph, vocabulary: Vocabulary, opened: Iterable[int], *, size: int, theme: Theme
) -> tuple[Scene, list[Point]]:
    """The scene of a graph to choose nodes in: all given ones highlighted, a ring about each open one; and where the nodes are."""
    composer = _Composer(graph, choose_appearance(graph, vocabulary), vocabulary, size, theme)
    composer.given = frozenset(place for place, node in enumerate(graph.nodes) if node.get("given"))
    scene = composer.scene(graph.nodes, graph.edges)
    rings = (Circle(composer.points[place], _RING * composer.radius, None, theme.text) for place in sorted(opened))
    return replace(scene, shapes=(*scene.shapes, *rings)), composer.points


class _Composer:
    def __init__(self, graph: Graph, appearance: Appearance, vocabulary: Vocabulary, size: int, theme: Theme) -> None:
        self.appearance, self.size, self.theme = appearance, size, theme
        self.is_molecule = "smiles" in graph.graph
        self.is_invalid = self.is_molecule and not graph.graph["valid"]
        self.title = f"{graph.graph['model']}, nodes {len(graph.nodes)}, edges {len(graph.edges)}"
        types = vocabulary.extended_by(graph)
        self.has_types = appearance.colours is None and (self.is_molecule or len(types.node_types) > 1)
        self.colours = node_colours(types.node_types, is_molecule=self.is_molecule)
        has_edge_types = len(types.edge_types) > 1 and not self.is_molecule
        self.edge_colours = dict(zip(types.edge_types, cycle(EDGE_PALETTE), strict=False)) if has_edge_types else {}
        self.dashed = _DASHED_TYPES | set(types.edge_types[len(EDGE_PALETTE) :])
        self.given = given_nodes(graph)
        says = self.has_types or has_edge_types or bool(appearance.caption) or bool(self.given)
        has_legend = size >= MIN_SIZE_WITH_LEGEND and says
        self.legend_height = _LEGEND_HEIGHT if has_legend else 0
        self.radius = max(min(size / (7 * max(len(graph.nodes), 1) ** 0.5), size / 24), _MIN_RADIUS)
        self.points, self.centre, self.unit = self._fit()
        if appearance.num_rings:
            # Edges between two levels stay visible.
            self.radius = max(min(self.radius, 0.33 * self.unit), _MIN_RADIUS)

    def scene(self, nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], caption: str = "") -> Scene:
        index = {node["id"]: number for number, node in enumerate(nodes)}
        shapes: list[Shape] = [
            Circle(self.centre, ring * self.unit, None, self.theme.guide)
            for ring in range(1, self.appearance.num_rings + 1)
        ]
        segments: dict[str, list[tuple[Point, Point]]] = {}
        given: list[tuple[Point, Point]] = []
        for edge in edges:
            places = index[edge["source"]], index[edge["target"]]
            ends = self.points[places[0]], self.points[places[1]]
            segments.setdefault(edge["type"], []).append(ends)
            if edge["type"] != MASK_TYPE and self.given.issuperset(places):
                given.append(ends)
        shapes += self._highlights(given)
        shapes += [self._lines(kind, ends) for kind, ends in sorted(segments.items()) if kind != MASK_TYPE]
        for number, node in enumerate(nodes):
            shapes += self._node(number, node["type"])
        shapes += self._legend({node["type"] for node in nodes}, set(segments))
        if self.is_invalid:
            shapes.append(Text((10, 14), "not a valid molecule", _TEXT_SIZE, self.theme.warning, "start"))
        if caption:
            shapes.append(Text((self.size - 44, 14), caption, _TEXT_SIZE, self.theme.text))
        return Scene(self.size, self.size, self.theme.background, tuple(shapes), self.title)

    def _fit(self) -> tuple[list[Point], Point, float]:
        """The nodes' points in pixels, the centre, and how many pixels are one unit of the positions."""
        positions, width = self.appearance.positions, float(self.size)
        height = width - self.legend_height
        if not len(positions):
            return [], (width / 2, height / 2), 1.0
        room = 2 * (_MARGIN * width + self.radius)
        if reach := self.appearance.num_rings:
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
        width = min(max(0.14 * self.radius, 0.5), 2.0) * _EDGE_WIDTHS.get(kind, 1.0)
        return Lines(tuple(ends), self.edge_colours.get(kind, self.theme.line), width, kind in self.dashed)

    def _node(self, number: int, kind: str) -> Iterable[Shape]:
        fill = self._fill(kind) if self.appearance.colours is None else self.appearance.colours[number]
        yield Circle(self.points[number], self.radius, fill, self.theme.background)
        if self.has_types and self.radius >= 6:
            letters = "?" if kind == MASK_TYPE else kind[:2]
            yield Text(self.points[number], letters, self.radius, text_colour_on(fill))

    def _fill(self, kind: str) -> str:
        return MASKED_COLOUR if kind == MASK_TYPE else self.colours.get(kind, PALETTE[0])

    def _highlights(self, edges: Sequence[tuple[Point, Point]]) -> Iterable[Shape]:
        """Behind what was given: a colour, and a line around it, so that nobody needs the colour."""
        if edges:
            yield Lines(tuple(edges), self.theme.given, self.radius)
        for place in sorted(self.given):
            yield from self._halo(self.points[place], _HALO * self.radius)

    def _halo(self, centre: Point, radius: float) -> Iterable[Shape]:
        yield Circle(centre, radius, self.theme.given)
        yield Circle(centre, radius, None, self.theme.text)

    def _legend(self, node_types: Set[str], edge_types: Set[str]) -> Iterable[Shape]:
        if not self.legend_height:
            return
        middle = self.size - self.legend_height / 2
        if self.appearance.caption and not self.given:
            yield Text((self.size / 2, middle), self.appearance.caption, _TEXT_SIZE, self.theme.text)
            return
        entries = [*self._legend_entries(node_types, edge_types)]
        widths = [(28 if draw else 8) + 0.62 * _TEXT_SIZE * len(words) for words, draw in entries]
        # A legend too long for one line is written smaller; entries that still do not fit are left out.
        scale = max(min(1.0, (self.size - 16) / sum(widths)), _MIN_LEGEND_SCALE) if widths else 1.0
        while entries and scale * sum(widths) > self.size - 16:
            entries, widths = entries[:-1], widths[:-1]
        left = (self.size - scale * sum(widths)) / 2
        for (words, draw), width in zip(entries, widths, strict=True):
            if draw:
                yield from draw(left, middle, scale)
            start = left + (20 if draw else 4) * scale
            yield Text((start, middle), words, _TEXT_SIZE * scale, self.theme.text, "start")
            left += width * scale

    def _legend_entries(self, node_types: Set[str], edge_types: Set[str]) -> Iterable[tuple[str, _Sign | None]]:
        """What each entry says, and what draws its sign."""
        if self.given:
            yield "given", lambda x, y, scale: self._halo((x + 10 * scale, y), 6 * scale)
        if self.appearance.caption:
            yield self.appearance.caption, None
            return
        if self.has_types:
            for kind in [*self.colours, MASK_TYPE]:
                if kind in node_types:
                    yield kind, partial(self._dot, self._fill(kind))
        for kind in self.edge_colours:
            if kind in edge_types:
                yield kind, partial(self._dash, kind)

    def _dot(self, fill: str, x: float, y: float, scale: float) -> Iterable[Shape]:
        yield Circle((x + 10 * scale, y), 5 * scale, fill)

    def _dash(self, kind: str, x: float, y: float, scale: float) -> Iterable[Shape]:
        yield self._lines(kind, [((x + 3 * scale, y), (x + 16 * scale, y))])
