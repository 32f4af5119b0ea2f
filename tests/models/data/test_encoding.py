import pytest
import torch

from models.data.encoding import encode_graphs

NODE_TYPES, EDGE_TYPES = ["C", "O"], ["none", "single", "double"]


def test_encoded_graphs_are_padded_and_come_back_by_their_labels() -> None:
    graphs = [(["C", "O"], [(0, 1, "double")]), (["O"], []), (["C", "C", "O"], [(0, 1, "single"), (1, 2, "single")])]

    batch = encode_graphs(graphs, NODE_TYPES, EDGE_TYPES)

    assert list(batch.labelled(NODE_TYPES, EDGE_TYPES)) == graphs
    assert torch.equal(batch.edges, batch.edges.mT)
    assert batch.num_nodes.tolist() == [2, 1, 3]
    assert not batch.nodes[~batch.node_mask].any()


def test_no_graphs_are_a_batch_of_none() -> None:
    assert len(encode_graphs([], NODE_TYPES, EDGE_TYPES)) == 0


def test_a_type_outside_of_the_vocabulary_is_an_error() -> None:
    with pytest.raises(KeyError, match="N"):
        encode_graphs([(["N"], [])], NODE_TYPES, EDGE_TYPES)
