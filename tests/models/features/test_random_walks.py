import networkx as nx
import torch
from torch import Tensor

from models.features.random_walks import random_walks


def adjacency(graph: nx.Graph) -> Tensor:
    return torch.from_numpy(nx.to_numpy_array(graph)).float()[None]


def test_random_walks_return_as_often_as_the_transition_matrix_says() -> None:
    graph = nx.connected_watts_strogatz_graph(8, 4, 0.4, seed=1)
    walk = adjacency(graph)[0] / adjacency(graph)[0].sum(-1, keepdim=True)

    walks = random_walks(adjacency(graph), 5)[0]

    power = torch.eye(8)
    for k in range(5):
        power = power @ walk
        torch.testing.assert_close(walks[..., k].diagonal(), power.diagonal())
        torch.testing.assert_close(walks[..., k], (power * power.T).sqrt())


def test_an_isolated_node_goes_nowhere() -> None:
    walks = random_walks(torch.zeros(1, 3, 3), 4)

    assert not walks.any()
