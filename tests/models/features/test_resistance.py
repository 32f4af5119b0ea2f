import networkx as nx
import pytest
import torch
from torch import Tensor

from models.features.resistance import resistance, resistance_distance


def adjacency(graph: nx.Graph) -> Tensor:
    return torch.from_numpy(nx.to_numpy_array(graph)).float()[None]


def real(num_nodes: int) -> Tensor:
    return torch.ones(1, num_nodes, dtype=torch.bool)


@pytest.mark.parametrize("seed", range(5))
def test_resistances_are_networkx_own(seed: int) -> None:
    graph = nx.connected_watts_strogatz_graph(14, 4, 0.3, seed=seed)
    known = nx.resistance_distance(graph)
    expected = torch.tensor([[known[i][j] for j in graph] for i in graph]).float()

    distance, together = resistance_distance(adjacency(graph), real(14))

    torch.testing.assert_close(distance[0], expected, atol=1e-4, rtol=1e-4)
    assert together.all()


def test_in_a_tree_resistance_is_the_length_of_the_path_and_a_long_path_is_no_gap() -> None:
    graph = nx.path_graph(200)

    distance, together = resistance_distance(adjacency(graph), real(200))

    assert distance[0, 0].tolist() == pytest.approx(list(range(200)), abs=0.05)
    assert together.all()


def test_what_hangs_together_and_what_closes_a_cycle_is_known() -> None:
    graph = nx.disjoint_union_all([nx.cycle_graph(5), nx.path_graph(3), nx.empty_graph(1)])
    padded = torch.nn.functional.pad(adjacency(graph), (0, 4, 0, 4))
    mask = torch.arange(13)[None] < 9

    found, wide = resistance(adjacency(graph), real(9)), resistance(padded, mask)

    assert found.nodes[0, :, 0].tolist() == pytest.approx([5 / 9] * 5 + [3 / 9] * 3 + [1 / 9])
    assert found.graph[0].tolist() == pytest.approx([3 / 9, 1 / 9])
    assert found.pairs[0, 0, 1, 1].item() == pytest.approx(0.8, abs=1e-3)  # on a cycle of five
    assert found.pairs[0, 5, 6, 1].item() == pytest.approx(1, abs=1e-3)  # a bridge
    assert not found.pairs[0, 0, 5].any()
    torch.testing.assert_close(wide.pairs[:, :9, :9], found.pairs)
    assert not wide.pairs[:, 9:].any()
    torch.testing.assert_close(wide.graph, found.graph)
