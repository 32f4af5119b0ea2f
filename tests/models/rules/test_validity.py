from typing import Literal

import networkx as nx
import numpy as np
import pytest

from models.card.config import Validity
from models.data.synthetic import Family, blocks, draw, load_synthetic
from models.evaluation.graphs import adjacencies
from models.rules.validity import VALIDITY, communities, is_planar, is_sbm, is_tree, is_valid


def matrix(graph: nx.Graph) -> np.ndarray:
    found: np.ndarray = nx.to_numpy_array(graph) > 0
    return found


def as_dense(adjacency: np.ndarray, seed: int) -> np.ndarray:
    """Erdős and Rényi's graph of as many nodes, and about as many edges."""
    random = np.random.default_rng(seed)
    return blocks(random, [len(adjacency)], within=float(adjacency.mean()), between=0.0)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("family", "rule", "count", "least"),
    [
        ("planar", "planar", 30, 1.0),
        ("tree", "tree", 30, 1.0),
        ("comm20", "connected", 30, 1.0),
        ("sbm", "sbm", 10, 0.7),
    ],
)
def test_a_familys_own_graphs_are_valid(family: Family, rule: Validity, count: int, least: float) -> None:
    graphs = list(adjacencies(draw(family, count, seed=3)))

    assert np.mean([VALIDITY[rule](graph) for graph in graphs]) >= least


@pytest.mark.parametrize("family", ["planar", "tree", "sbm"])
def test_random_graphs_of_the_same_density_are_not(family: Literal["planar", "tree", "sbm"]) -> None:
    graphs = list(adjacencies(draw(family, 5, seed=3)))

    assert not any(VALIDITY[family](as_dense(graph, seed)) for seed, graph in enumerate(graphs))


def test_one_edge_more_or_less_is_noticed() -> None:
    tree, grid = matrix(nx.random_labeled_tree(20, seed=1)), matrix(nx.grid_2d_graph(4, 4))
    less = tree.copy()
    i, j = np.argwhere(tree)[0]
    less[i, j] = less[j, i] = False
    absent = np.argwhere(~tree & ~np.eye(20, dtype=bool))[0]
    more = tree.copy()
    more[tuple(absent)] = more[tuple(absent[::-1])] = True

    assert is_tree(tree)
    assert not is_tree(more)
    assert not is_tree(less)
    assert is_planar(grid)
    assert not is_planar(matrix(nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3))))
    assert not is_planar(matrix(nx.complete_graph(5)))


def test_the_blocks_of_a_graph_are_found_again() -> None:
    sizes = [22, 35, 28]
    graph = blocks(np.random.default_rng(6), sizes, within=0.3, between=0.005)

    found = communities(graph)

    planted = np.repeat(range(3), sizes)
    assert len(set(zip(found.tolist(), planted.tolist(), strict=True))) == 3
    assert is_sbm(graph, within=0.3, between=0.005)
    assert not is_sbm(graph, within=0.6, between=0.005)


def test_the_rule_of_a_data_set_holds_for_edges_as_they_come() -> None:
    ring = [(i, (i + 1) % 5) for i in range(5)]

    assert load_synthetic("tree").validity == "tree"
    assert [is_valid("tree", 5, edges) for edges in (ring, ring[:4], ring[:3])] == [False, True, False]
    assert [is_valid("planar", 5, edges) for edges in (ring, ring[:3])] == [True, False]
