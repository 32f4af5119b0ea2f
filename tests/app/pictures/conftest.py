"""Graphs to draw, and what can be read in their pictures."""

import networkx as nx

from app.pictures.appearance import EMPTY_VOCABULARY, Vocabulary, choose_appearance
from app.pictures.composition import compose_scene
from app.pictures.scene import Circle, Scene, Text, Theme
from app.schemas import Graph

SVG = "{http://www.w3.org/2000/svg}"


def to_graph(drawn: nx.Graph, **about: object) -> Graph:
    nodes = [{"id": node, "type": kind} for node, kind in drawn.nodes(data="type", default="node")]
    edges = [{"source": i, "target": j, "type": kind} for i, j, kind in drawn.edges(data="type", default="edge")]
    return Graph(graph={"model": "m", "seed": 1, **about}, nodes=nodes, edges=edges)


def scene_of(graph: Graph, vocabulary: Vocabulary = EMPTY_VOCABULARY, size: int = 400) -> Scene:
    return compose_scene(graph, choose_appearance(graph, vocabulary), vocabulary, size=size, theme=Theme.LIGHT)


def dots(scene: Scene) -> list[Circle]:
    """Of the nodes, without the legend's and the rings."""
    return [shape for shape in scene.shapes if isinstance(shape, Circle) and shape.fill and shape.outline]


def words(scene: Scene) -> list[str]:
    return [shape.content for shape in scene.shapes if isinstance(shape, Text)]


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)
