"""What pictures tell, and that they can be read."""

import math

import networkx as nx
import pytest

from app.pictures.appearance import Vocabulary
from app.pictures.colours import PALETTE
from app.pictures.scene import Lines, Text
from tests.app.pictures.conftest import dots, scene_of, to_graph, words


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
