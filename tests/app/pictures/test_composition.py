"""What pictures tell, and that they can be read."""

import math
from itertools import combinations
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest
from scipy.spatial import Delaunay

from app.pictures.appearance import EMPTY_VOCABULARY, Vocabulary, choose_appearance
from app.pictures.colours import ELEMENT_COLOURS, PALETTE, text_colour_on
from app.pictures.composition import compose_animation, compose_scene
from app.pictures.scene import Circle, Lines, Scene, Text, Theme
from app.pictures.svg import write_animation, write_svg
from app.schemas import Frame, Graph, Trajectory

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


def test_communities_have_a_colour_each_and_are_counted() -> None:
    sizes = [12, 14, 10]
    chances = [[0.8 if i == j else 0.02 for j in range(3)] for i in range(3)]
    drawn = nx.empty_graph(36)
    drawn.add_edges_from(nx.stochastic_block_model(sizes, chances, seed=3).edges)

    scene = scene_of(to_graph(drawn))

    fills = [dot.fill for dot in dots(scene)]
    blocks = [set(fills[:12]), set(fills[12:26]), set(fills[26:])]

    assert all(len(block) == 1 for block in blocks)
    assert len(set.union(*blocks)) == 3
    assert "3 communities" in words(scene)


def test_a_tree_shows_its_levels() -> None:
    tree = nx.balanced_tree(2, 3)

    scene = scene_of(to_graph(tree))

    by_level = [{dots(scene)[node].fill for node in nx.descendants_at_distance(tree, 0, level)} for level in range(4)]
    assert all(len(fills) == 1 for fills in by_level)
    assert len(set.union(*by_level)) == 4
    assert "a tree of 3 levels about its middle" in words(scene)
    assert len([shape for shape in scene.shapes if isinstance(shape, Circle) and shape.fill is None]) == 3


def nearly_planar() -> nx.Graph:
    """As a sampler may leave it: a triangulation with a few edges that cross."""
    places = np.random.default_rng(0).random((64, 2))
    graph = nx.Graph(pair for face in Delaunay(places).simplices for pair in combinations(map(int, face), 2))
    graph.add_edges_from([(0, 63), (5, 40), (17, 50)])
    return graph


@pytest.mark.parametrize(
    "graph", [nx.triangular_lattice_graph(5, 5), nx.complete_graph(6), nx.empty_graph(4), nearly_planar()]
)
def test_where_there_is_nothing_to_tell_there_is_one_colour_and_no_word(graph: nx.Graph) -> None:
    scene = scene_of(to_graph(nx.convert_node_labels_to_integers(graph)))

    assert {dot.fill for dot in dots(scene)} == {PALETTE[0]}
    assert words(scene) == []


def test_types_of_nodes_and_edges_have_colours_and_a_legend_the_same_in_all_graphs_of_a_model() -> None:
    few = nx.path_graph(2)
    nx.set_node_attributes(few, "work", "type")
    nx.set_edge_attributes(few, "road", "type")
    many = nx.path_graph(3)
    nx.set_node_attributes(many, {0: "home", 1: "shop", 2: "work"}, "type")
    nx.set_edge_attributes(many, {(0, 1): "road", (1, 2): "rail"}, "type")
    types = Vocabulary(["home", "shop", "work"], ["rail", "road"])

    first, second = scene_of(to_graph(few), types), scene_of(to_graph(many), types)

    assert dots(first)[0].fill == dots(second)[2].fill
    assert len({dot.fill for dot in dots(second)}) == 3
    assert {"home", "shop", "work", "road", "rail"} <= set(words(second))
    (road,) = {shape.colour for shape in first.shapes if isinstance(shape, Lines)}
    colours = {shape.colour for shape in second.shapes if isinstance(shape, Lines)}
    assert len(colours) == 2
    assert road in colours


def test_colours_are_those_of_types_wherever_a_model_has_several() -> None:
    tree = nx.balanced_tree(2, 3)
    nx.set_node_attributes(tree, "a", "type")

    scene = scene_of(to_graph(tree), Vocabulary(["a", "b"]))

    assert {dot.fill for dot in dots(scene)} == {PALETTE[0]}
    assert "a" in words(scene)


@pytest.mark.parametrize("num_types", [2, 12, 40])
def test_a_legend_is_within_the_picture_however_many_types_there_are(num_types: int) -> None:
    drawn = nx.empty_graph(num_types)
    nx.set_node_attributes(drawn, {node: f"a long type, {node}" for node in drawn}, "type")

    scene = scene_of(to_graph(drawn), size=480)

    texts = [shape for shape in scene.shapes if isinstance(shape, Text) and shape.anchor == "start"]
    assert texts
    for text in texts:
        assert 0 <= text.position[0] <= 480 - 0.6 * text.size * len(text.content)


@pytest.mark.parametrize("seed", range(8))
def test_every_edge_of_a_tree_is_seen_between_its_ends(seed: int) -> None:
    tree = nx.random_labeled_tree(64, seed=seed)

    scene = scene_of(to_graph(tree), size=480)

    radius = dots(scene)[0].radius
    (lines,) = (shape for shape in scene.shapes if isinstance(shape, Lines))
    assert min(math.dist(*ends) for ends in lines.segments) > 2 * radius


def test_what_is_no_molecule_though_it_should_be_is_marked() -> None:
    drawn = nx.path_graph(2)
    nx.set_node_attributes(drawn, "F", "type")

    assert "not a valid molecule" in words(scene_of(to_graph(drawn, valid=False, smiles=None)))


@pytest.mark.parametrize("num_nodes", [1, 2, 9, 64, 200])
@pytest.mark.parametrize("size", [64, 480])
def test_everything_is_within_the_picture(num_nodes: int, size: int) -> None:
    scene = scene_of(to_graph(nx.gnp_random_graph(num_nodes, 0.1, seed=num_nodes)), size=size)

    for dot in dots(scene):
        assert all(dot.radius <= side <= size - dot.radius for side in dot.centre)


@pytest.mark.parametrize("fill", [*PALETTE, *ELEMENT_COLOURS.values()])
def test_letters_can_be_read_on_every_colour(fill: str) -> None:
    """WCAG 2.2, success criterion 1.4.3."""
    assert contrast(fill, text_colour_on(fill)) >= 4.5


@pytest.mark.parametrize("theme", Theme)
def test_words_can_be_read_on_every_background(theme: Theme) -> None:
    assert contrast(theme.text, theme.background) >= 4.5
    assert contrast(theme.warning, theme.background) >= 4.5
    assert contrast(theme.line, theme.background) >= 3  # 1.4.11


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


def test_svg_is_well_formed_whatever_types_are_called_and_has_no_styles() -> None:
    drawn = nx.path_graph(2)
    nx.set_node_attributes(drawn, {0: '<&"', 1: "b\x01"}, "type")

    text = write_svg(scene_of(to_graph(drawn)))

    root = ElementTree.fromstring(text)
    assert len(root.findall(f"{SVG}path")) == 1
    assert '<&"' in [element.text for element in root.findall(f"{SVG}text")]
    assert "style" not in text


def test_a_film_has_a_group_for_each_frame_and_the_last_is_the_graph() -> None:
    graph = to_graph(nx.path_graph(3))
    frames = [
        Frame(step=step, t=10 - step, nodes=graph.nodes, edges=graph.edges[:known])
        for step, known in ((0, 0), (5, 1), (10, 2))
    ]

    film = compose_animation(
        graph,
        Trajectory(frames=frames),
        choose_appearance(graph, EMPTY_VOCABULARY),
        EMPTY_VOCABULARY,
        size=200,
        theme=Theme.DARK,
    )
    root = ElementTree.fromstring(write_animation(film, [(frame.step, frame.t) for frame in frames]))

    groups = root.findall(f"{SVG}g")
    assert [(group.get("data-step"), group.get("data-t")) for group in groups] == [("0", "10"), ("5", "5"), ("10", "0")]
    assert [group.get("visibility") for group in groups] == ["hidden", "hidden", "visible"]
    assert [sum(path.get("d", "").count("M") for path in group.findall(f"{SVG}path")) for group in groups] == [0, 1, 2]
    places = [[(dot.get("cx"), dot.get("cy")) for dot in group.findall(f"{SVG}circle")] for group in groups]
    assert places[0] == places[1] == places[2]
    assert all(group.find(f"{SVG}animate") is not None for group in groups)
