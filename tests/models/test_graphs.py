import torch

from models.graphs import GraphBatch
from tests.conftest import random_graphs


def test_masks_are_true_exactly_at_real_nodes_and_real_pairs() -> None:
    graph = random_graphs([1, 3], max_nodes=4)

    assert graph.node_mask.sum(1).tolist() == [1, 3]
    assert graph.edge_mask.sum((1, 2)).tolist() == [0, 6]
    assert not graph.edge_mask.diagonal(dim1=1, dim2=2).any()


def test_labels_leave_out_padding_and_absent_edges_and_name_every_edge_once() -> None:
    nodes, edges = torch.tensor([[0, 1, 0], [1, 0, 0]]), torch.zeros(2, 3, 3, dtype=torch.long)
    edges[0, 0, 2] = edges[0, 2, 0] = 2

    found = list(GraphBatch(nodes, edges, torch.tensor([3, 1])).labelled(["C", "N"], ["none", "single", "double"]))

    assert found == [(["C", "N", "C"], [(0, 2, "double")]), (["N"], [])]
