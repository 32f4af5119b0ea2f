from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from models.evaluation.orbits import orbit_counts

NUM_ORBITS = 15
# The part that a node plays, by the edges of the subgraph and by its own degree in it.
SMALL = {(2, 1, 1): 0, (3, 2, 1): 1, (3, 2, 2): 2, (3, 3, 2): 3}
OF_FOUR = {4: {1: 9, 2: 10, 3: 11}, 5: {2: 12, 3: 13}, 6: {3: 14}}


def part(subgraph: nx.Graph, node: int) -> int:
    edges, degree = subgraph.number_of_edges(), subgraph.degree[node]
    if len(subgraph) < 4:
        return SMALL[len(subgraph), edges, degree]
    largest = max(dict(subgraph.degree).values())
    if edges == 3:
        return {1: 6, 3: 7}[degree] if largest == 3 else {1: 4, 2: 5}[degree]
    return 8 if edges == 4 and largest == 2 else OF_FOUR[edges][degree]


def by_enumeration(graph: nx.Graph) -> np.ndarray:
    counts = np.zeros((len(graph), NUM_ORBITS), int)
    for size in (2, 3, 4):
        for chosen in combinations(graph, size):
            subgraph = graph.subgraph(chosen)
            if nx.is_connected(subgraph):
                for node in chosen:
                    counts[node, part(subgraph, node)] += 1
    return counts


@pytest.mark.parametrize("density", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_parts_are_those_found_by_enumeration(density: float) -> None:
    graph = nx.gnp_random_graph(10, density, seed=round(10 * density))

    assert np.array_equal(orbit_counts(nx.to_numpy_array(graph) > 0), by_enumeration(graph))


def test_a_complete_graph_has_nothing_but_complete_subgraphs() -> None:
    counts = orbit_counts(~np.eye(6, dtype=bool))

    assert counts[0].tolist() == [5, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_graph_of_fewer_nodes_than_four_is_counted_too(size: int) -> None:
    counts = orbit_counts(np.zeros((size, size), bool))

    assert counts.shape == (size, NUM_ORBITS)
    assert not counts.any()
