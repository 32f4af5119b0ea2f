import pytest
import torch

from models.data.catalogue import load_dataset
from models.diffusion.context import Given
from models.diffusion.randomness import graph_seeds
from models.graphs import GraphBatch
from models.training.given import draw_given


@pytest.fixture(scope="module")
def molecules() -> GraphBatch:
    return load_dataset("qm9").test[torch.arange(1500)].long()


@pytest.fixture(scope="module")
def given(molecules: GraphBatch) -> Given:
    return draw_given(molecules, graph_seeds(3, torch.arange(len(molecules))))


def test_shares_are_those_that_are_described(molecules: GraphBatch, given: Given) -> None:
    all_nodes = (given.nodes == molecules.node_mask).all(1)
    all_pairs = (given.pairs == molecules.edge_mask).flatten(1).all(1)
    nothing = ~given.nodes.any(1) & ~given.pairs.flatten(1).any(1)
    parts = given.nodes.any(1) & given.pairs.flatten(1).any(1)

    assert float(nothing.float().mean()) == pytest.approx(0.30, abs=0.04)
    assert float((all_nodes & ~given.pairs.flatten(1).any(1)).float().mean()) == pytest.approx(0.15, abs=0.04)
    assert float((all_pairs & ~given.nodes.any(1)).float().mean()) == pytest.approx(0.05, abs=0.02)
    # A single node without closed pairs is a part, too, and seen as neither.
    assert float(parts.float().mean()) == pytest.approx(0.48, abs=0.05)


def test_only_real_nodes_and_pairs_are_given_and_pairs_both_ways(molecules: GraphBatch, given: Given) -> None:
    assert not (given.nodes & ~molecules.node_mask).any()
    assert not (given.pairs & ~molecules.edge_mask).any()
    assert torch.equal(given.pairs, given.pairs.mT)


def test_pairs_within_a_part_are_given_and_those_to_the_outside_only_where_there_is_no_edge(
    molecules: GraphBatch, given: Given
) -> None:
    has_open_pairs = ~(given.pairs == molecules.edge_mask).flatten(1).all(1)
    outside = given.pairs & ~(given.nodes[:, :, None] & given.nodes[:, None, :])
    closed = outside[has_open_pairs & given.nodes.any(1)]

    assert closed.any()
    assert not molecules.edges[has_open_pairs & given.nodes.any(1)][closed].any()


def test_a_part_hangs_together_or_is_several(molecules: GraphBatch, given: Given) -> None:
    pieces = [number_of_pieces(molecules, given, i) for i in range(400) if is_part(molecules, given, i)]

    assert set(pieces) == {1, 2, 3}
    assert pieces.count(1) > 0.8 * len(pieces)


def is_part(molecules: GraphBatch, given: Given, i: int) -> bool:
    return bool(given.nodes[i].any()) and not torch.equal(given.nodes[i], molecules.node_mask[i])


def number_of_pieces(molecules: GraphBatch, given: Given, i: int) -> int:
    left = set(given.nodes[i].nonzero()[:, 0].tolist())
    pieces = 0
    while left:
        reached = {left.pop()}
        pieces += 1
        while reached:
            neighbours = set(molecules.edges[i, reached.pop()].nonzero()[:, 0].tolist()) & left
            left -= neighbours
            reached |= neighbours
    return pieces


def test_the_same_seed_gives_the_same(molecules: GraphBatch, given: Given) -> None:
    again = draw_given(molecules[:50], graph_seeds(3, torch.arange(50)))
    others = draw_given(molecules[:50], graph_seeds(4, torch.arange(50)))

    assert torch.equal(again.nodes, given.nodes[:50])
    assert not torch.equal(others.nodes, given.nodes[:50])
