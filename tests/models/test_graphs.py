import pytest
import torch

from models.graphs import concatenate
from tests.conftest import random_graphs


def test_masks_are_true_exactly_at_real_nodes_and_real_pairs() -> None:
    graph = random_graphs([1, 3], max_nodes=4)

    assert graph.node_mask.sum(1).tolist() == [1, 3]
    assert graph.edge_mask.sum((1, 2)).tolist() == [0, 6]
    assert not graph.edge_mask.diagonal(dim1=1, dim2=2).any()


def test_permuting_by_an_order_and_then_by_its_inverse_gives_the_graph_back() -> None:
    graph = random_graphs([5, 5])
    order = torch.tensor([[4, 2, 0, 1, 3], [1, 0, 3, 4, 2]])

    back = graph.permute(order).permute(order.argsort(1))

    assert torch.equal(back.nodes, graph.nodes)
    assert torch.equal(back.edges, graph.edges)


def test_concatenating_pads_to_the_widest() -> None:
    small, large = random_graphs([2, 3]), random_graphs([7])

    both = concatenate([small, large])

    assert both.num_nodes.tolist() == [2, 3, 7]
    assert torch.equal(both.edges[:2, :3, :3], small.edges)


def test_padding_to_less_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        random_graphs([5]).pad_to(4)
