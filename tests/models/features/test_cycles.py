import networkx as nx
import pytest
import torch
from torch import Tensor

from models.features.cycles import cycle_counts, six_cycles


def adjacency(graph: nx.Graph) -> Tensor:
    return torch.from_numpy(nx.to_numpy_array(graph)).float()[None]


@pytest.mark.parametrize("seed", range(25))
def test_cycle_counts_are_those_found_by_enumeration(seed: int) -> None:
    graph = nx.gnp_random_graph(9, 0.2 + 0.03 * seed, seed=seed)
    expected = torch.zeros(9, 3)
    for cycle in nx.simple_cycles(graph, length_bound=5):
        expected[cycle, len(cycle) - 3] += 1

    assert torch.equal(cycle_counts(adjacency(graph))[0], expected)


@pytest.mark.parametrize("seed", range(25))
def test_cycles_of_six_are_those_found_by_enumeration(seed: int) -> None:
    graph = nx.gnp_random_graph(9, 0.15 + 0.03 * seed, seed=seed)

    expected = sum(len(cycle) == 6 for cycle in nx.simple_cycles(graph, length_bound=6))

    assert six_cycles(adjacency(graph)).tolist() == [expected]
