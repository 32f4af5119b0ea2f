import torch

from models.features.basic import Categories, Degree, Size, Time
from models.features.feature import NoisyGraph
from models.graphs import GraphBatch
from tests.conftest import make_card, make_denoiser


def path_of_three() -> NoisyGraph:
    """With room for a fourth node, at a tenth of the way to noise."""
    edges = torch.zeros(1, 4, 4, dtype=torch.long)
    edges[0, 0, 1] = edges[0, 1, 0] = edges[0, 1, 2] = edges[0, 2, 1] = 2
    graph = GraphBatch(torch.zeros(1, 4, dtype=torch.long), edges, torch.tensor([3]))
    noise, t = make_denoiser(make_card()).noise, torch.tensor([5])
    one_hot, adjacency = noise.one_hot(graph), (edges > 0).float()
    masks = (graph.node_mask, graph.edge_mask)
    alpha_bar = noise.alpha_bar[t].float()
    return NoisyGraph(one_hot.nodes, one_hot.edges, adjacency, *masks, graph.num_nodes, t, alpha_bar, 50)


def test_a_degree_is_the_number_of_neighbours_over_four() -> None:
    values = Degree()(path_of_three())

    assert values.nodes is not None
    assert values.nodes.flatten().tolist() == [0.25, 0.5, 0.25, 0]


def test_time_is_a_share_and_what_is_left_of_the_graph() -> None:
    noisy = path_of_three()

    values = Time()(noisy)

    assert values.graph is not None
    torch.testing.assert_close(values.graph, torch.tensor([[0.1, float(noisy.alpha_bar)]]))


def test_a_size_is_a_share_of_the_largest_graphs() -> None:
    values = Size(max_nodes=9)(path_of_three())

    assert values.graph is not None
    torch.testing.assert_close(values.graph, torch.tensor([[3 / 9]]))


def test_categories_are_passed_on_as_they_are() -> None:
    noisy = path_of_three()

    values = Categories(4, 3)(noisy)

    assert values.nodes is noisy.nodes
    assert values.pairs is noisy.edges
