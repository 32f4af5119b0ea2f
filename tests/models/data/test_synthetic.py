"""Each family is what its recipe says."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch

from models.data.synthetic import (
    FAMILIES,
    SPLIT_SIZES,
    Adjacency,
    Family,
    blocks,
    comm20,
    draw,
    load_synthetic,
    planar,
    sbm,
    tree,
)


def drawn(recipe, count: int = 30) -> list[nx.Graph]:  # type: ignore[no-untyped-def]
    return [nx.from_numpy_array(recipe(np.random.default_rng(seed))) for seed in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_data_set_is_simple_graphs_in_three_parts(family: Family) -> None:
    data = load_synthetic(family)

    for split, size in SPLIT_SIZES.items():
        graphs = getattr(data, split).long()
        assert len(graphs) == size
        assert torch.equal(graphs.edges, graphs.edges.mT)
        assert graphs.edges.unique().tolist() == [0, 1]
        assert not (graphs.edges * ~graphs.edge_mask).any()
    assert data.domain == "graph"
    assert data.node_marginals() == [1]
    assert 0 < data.edge_marginals()[1] < 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_graphs_of_many_are_those_of_few_and_another_seed_gives_others(family: Family) -> None:
    many, few, others = draw(family, 8, seed=0), draw(family, 3, seed=0), draw(family, 3, seed=1)

    width = few.max_nodes
    assert torch.equal(many.edges[:3, :width, :width], few.edges)
    assert not torch.equal(few.edges.flatten()[:400], others.edges.flatten()[:400])


def test_planar_graphs_are_triangulations() -> None:
    for graph in drawn(planar):
        assert graph.number_of_nodes() == 64
        assert nx.check_planarity(graph)[0]
        assert nx.is_connected(graph)
        hull = 3 * 64 - 3 - graph.number_of_edges()  # Euler: every face but the outer one is a triangle
        assert 3 <= hull <= 25


def test_trees_are_trees_of_64_nodes() -> None:
    assert all(nx.is_tree(graph) and graph.number_of_nodes() == 64 for graph in drawn(tree))


def test_every_labelled_tree_is_as_likely() -> None:
    random = np.random.default_rng(0)

    counts = Counter(tree(random, num_nodes=4).tobytes() for _ in range(4_000))

    # Cayley: 4² trees. χ² with 15 degrees of freedom exceeds 37.7 once in a thousand times.
    assert len(counts) == 16
    assert sum((count - 250) ** 2 / 250 for count in counts.values()) < 37.7


def test_sbm_graphs_are_connected_and_of_the_sizes_said() -> None:
    graphs = drawn(sbm)

    assert all(nx.is_connected(graph) for graph in graphs)
    assert 40 <= min(map(len, graphs)) < max(map(len, graphs)) <= 200


def test_blocks_have_the_densities_asked_for() -> None:
    adjacency: Adjacency = blocks(np.random.default_rng(0), [300, 200], within=0.3, between=0.005)

    assert adjacency[:300, :300].sum() / (300 * 299) == pytest.approx(0.3, abs=0.01)
    assert adjacency[300:, 300:].sum() / (200 * 199) == pytest.approx(0.3, abs=0.01)
    assert adjacency[:300, 300:].mean() == pytest.approx(0.005, abs=0.001)
    assert not adjacency.diagonal().any()


def test_small_communities_are_two_and_tied() -> None:
    sizes = set()
    for seed in range(200):
        adjacency = comm20(np.random.default_rng(seed))
        size = len(adjacency) // 2
        sizes.add(2 * size)
        assert 1 <= adjacency[:size, size:].sum() <= 10
    assert sizes == {12, 14, 16, 18, 20}


def test_a_community_that_falls_apart_is_tied_together() -> None:
    # Of 600 graphs, three would have been in several pieces.
    assert all(nx.is_connected(graph) for graph in drawn(comm20, 600))
