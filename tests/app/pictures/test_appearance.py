from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from scipy.spatial import Delaunay

from app.pictures.colours import PALETTE
from app.pictures.scene import Circle
from tests.app.pictures.conftest import dots, scene_of, to_graph, words


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
