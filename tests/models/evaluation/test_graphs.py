from statistics import fmean

import numpy as np
import pytest
import torch

from models.card.card import ModelCard
from models.data.dataset import GraphData
from models.data.synthetic import Family, as_batch, blocks, draw, load_synthetic
from models.evaluation.graphs import adjacencies, evaluate_graphs, mmd_ratios
from models.graphs import GraphBatch
from tests.conftest import make_card, permute


def card_of(data: GraphData) -> ModelCard:
    values = {
        "domain": data.domain,
        "node_types": data.node_types,
        "edge_types": data.edge_types,
        "node_marginals": data.node_marginals(),
        "edge_marginals": data.edge_marginals(),
        "size_distribution": data.size_distribution(),
        "max_nodes": data.max_nodes,
    }
    return ModelCard.model_validate(make_card().model_dump() | values)


def as_dense(graphs: GraphBatch) -> GraphBatch:
    """Erdős and Rényi's graphs, each of as many nodes and about as many edges."""
    random = np.random.default_rng(0)
    return as_batch([blocks(random, [len(a)], within=float(a.mean()), between=0.0) for a in adjacencies(graphs)])


@pytest.fixture(scope="module")
def planar() -> GraphData:
    return load_synthetic("planar")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "family", ["tree", "comm20", *(pytest.param(name, marks=pytest.mark.slow) for name in ("planar", "sbm"))]
)
def test_fresh_graphs_of_a_family_score_near_one_and_random_ones_badly(family: Family) -> None:
    data = load_synthetic(family)
    train, test = list(adjacencies(data.train)), list(adjacencies(data.test))
    fresh = draw(family, len(train), seed=1)

    good, bad = (
        mmd_ratios(list(graphs), train=train, test=test)
        for graphs in (adjacencies(fresh), adjacencies(as_dense(fresh)))
    )

    # As many other graphs of the family come no nearer than chance brings them.
    assert 0.4 < good["ratio"] < 1.6
    assert all(0.1 < good[name] < 2.5 for name in good if name.startswith("ratio"))
    assert bad["ratio"] > 10 * good["ratio"]
    assert all(bad[name] > good[name] for name in good if name.startswith("ratio"))


def test_no_ratio_is_told_where_training_and_test_graphs_are_alike() -> None:
    data = load_synthetic("tree")
    train, test = list(adjacencies(data.train)), list(adjacencies(data.test))

    found = mmd_ratios(list(adjacencies(draw("tree", 64, seed=1))), train=train, test=test)

    # No tree has a triangle, and all have about as many paths and stars of four nodes.
    assert found["mmd_clustering"] == 0 < found["mmd_orbit"] < 1e-4
    assert {"ratio_clustering", "ratio_orbit"}.isdisjoint(found)
    assert found["ratio"] == pytest.approx(fmean(found[f"ratio_{name}"] for name in ("degree", "spectral", "wavelet")))


def test_copies_of_training_graphs_are_valid_but_not_novel(planar: GraphData) -> None:
    order = torch.stack([torch.randperm(64, generator=torch.Generator().manual_seed(i)) for i in range(6)])
    copies = permute(planar.train[[0, 1, 2, 0, 1, 2]].long(), order)

    found = evaluate_graphs(card_of(planar), [copies[:4], copies[4:]], planar)

    assert found["valid"] == found["connected"] == found["training_valid"] == 1
    assert found["unique"] == 0.5
    assert found["novel"] == found["vun"] == 0


def test_what_is_valid_unique_and_novel_is_counted_together(planar: GraphData) -> None:
    fresh = draw("planar", 6, seed=1)
    random = as_dense(fresh)
    width = GraphBatch.concatenate([fresh[[0, 1, 2, 3, 3]], random[:3]])

    found = evaluate_graphs(card_of(planar), [width], planar)

    assert found["vun"] == pytest.approx(4 / 8)
    assert found["valid"] == pytest.approx(5 / 8)
    assert found["unique"] == pytest.approx(7 / 8)
    assert found["novel"] == 1
    assert "tv_node_types" not in found


def test_types_are_compared_where_there_are_several(planar: GraphData) -> None:
    graphs = draw("comm20", 8, seed=1)
    # One node in four is of the second type; all edges are.
    nodes = torch.zeros_like(graphs.nodes)
    nodes[:, ::4] = 1
    typed = GraphBatch(nodes * graphs.node_mask, 2 * graphs.edges, graphs.num_nodes)
    data = GraphData("mine", "graph", "none", ["a", "b"], ["none", "thin", "thick"], typed, typed, typed, notes=[])
    plain = GraphBatch(torch.zeros_like(nodes), graphs.edges, graphs.num_nodes)

    same, other = (evaluate_graphs(card_of(data), [batch], data) for batch in (typed, plain))

    share = float(nodes[graphs.node_mask].float().mean())
    assert (same["tv_node_types"], same["tv_edge_types"]) == (0, 0)
    assert other["tv_node_types"] == pytest.approx(share)
    assert other["tv_edge_types"] == 1
    assert "valid" not in same
