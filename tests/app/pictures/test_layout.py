"""Where nodes stand."""

import networkx as nx
import numpy as np
import pytest

from app.pictures.layout import radial_layout, stress_layout

# Each with a symmetry, disconnected, very small, or large.
GRAPHS = {
    "star": nx.star_graph(6),
    "cycle": nx.cycle_graph(12),
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 5)),
    "pieces": nx.disjoint_union(nx.path_graph(4), nx.complete_graph(4)),
    "lonely": nx.empty_graph(5),
    "two": nx.empty_graph(2),
    "tree": nx.random_labeled_tree(64, seed=1),
    "dense": nx.gnp_random_graph(100, 0.3, seed=1),
}


def nearest(positions: np.ndarray) -> float:
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return float(apart[~np.eye(len(apart), dtype=bool)].min())


@pytest.mark.parametrize("name", GRAPHS)
def test_every_node_has_a_place_of_its_own_and_always_the_same(name: str) -> None:
    graph = GRAPHS[name]

    positions = stress_layout(len(graph), graph.edges)

    assert positions.shape == (len(graph), 2)
    assert np.isfinite(positions).all()
    assert nearest(positions) > 0.02
    np.testing.assert_array_equal(positions, stress_layout(len(graph), graph.edges))


@pytest.mark.parametrize("num_nodes", [0, 1])
def test_no_graph_is_too_small(num_nodes: int) -> None:
    assert stress_layout(num_nodes, []).shape == (num_nodes, 2)


def test_a_path_is_a_line_with_a_unit_from_node_to_node() -> None:
    positions = stress_layout(6, nx.path_graph(6).edges)

    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    steps = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    np.testing.assert_allclose(apart, steps, atol=0.05)


def test_distances_are_kept_as_well_as_by_an_independent_program() -> None:
    """By Kamada & Kawai, as networkx has it, which minimises the same sum from other positions."""
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(6, 6))
    theirs = nx.kamada_kawai_layout(graph)

    ours, other = stress_layout(36, graph.edges), np.array([theirs[node] for node in range(36)])

    distances = np.array([[nx.shortest_path_length(graph, i, j) for j in range(36)] for i in range(36)], dtype=float)
    assert stress(ours, distances) <= 1.02 * min(
        stress(other * scale, distances) for scale in np.linspace(0.5, 40, 400)
    )


def stress(positions: np.ndarray, distances: np.ndarray) -> float:
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    others = distances > 0
    return float((((apart - distances)[others] / distances[others]) ** 2).sum())


def test_groups_stand_further_apart() -> None:
    graph = nx.gnp_random_graph(20, 0.5, seed=1)
    groups = [node % 2 for node in range(20)]

    together, apart = stress_layout(20, graph.edges), stress_layout(20, graph.edges, groups)

    def between(positions: np.ndarray) -> float:
        return float(np.linalg.norm(positions[::2].mean(0) - positions[1::2].mean(0)))

    assert between(apart) > 2 * between(together)


@pytest.mark.parametrize("seed", range(5))
def test_a_tree_stands_in_rings_and_no_two_edges_cross(seed: int) -> None:
    tree = nx.random_labeled_tree(30, seed=seed)

    positions, levels = radial_layout(tree)

    np.testing.assert_allclose(np.linalg.norm(positions, axis=1), levels, atol=1e-9)
    assert max(levels) == nx.radius(tree)
    assert all(abs(levels[i] - levels[j]) == 1 for i, j in tree.edges)
    assert nearest(positions) > 0.02
    edges = [(positions[i], positions[j]) for i, j in tree.edges]
    assert not any(cross(*first, *second) for k, first in enumerate(edges) for second in edges[:k])


def cross(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Whether two segments cross in their insides."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    small = 1e-9
    return side(a, b, c) * side(a, b, d) < -small and side(c, d, a) * side(c, d, b) < -small
