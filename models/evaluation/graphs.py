"""The quality of generated graphs that are not molecules.

    connected         share of one piece
    valid             share that is of the family's kind (`models.rules.validity`), where the family has a test
    unique            share that is no copy of an earlier sample, and
    novel             of no training graph, up to the order of nodes
    vun               share that is valid, unique and novel
    training_valid    share of the training graphs that is valid: what a perfect model would score
    mmd_NAME          MMD² between samples and test graphs (`models.evaluation.statistics`)
    ratio_NAME        that, over MMD² between training and test graphs: about 1 for a perfect model; left out where
                      that is below 1e-5, 0 in the tables of the literature (clustering and orbits of trees): what
                      is left there is chance, and graphs of the very family come out anywhere from 7 to 38
    ratio             mean of the ratios, less those of `FIRST_STATISTICS`
    tv_node_types     total variation between the samples' frequencies of node types and the test graphs'; likewise
    tv_edge_types     of the types of edges that are there; for vocabularies of more than one type

MMD² counts each graph's likeness to itself, so it falls with the number of samples: compare at equal numbers.
As many samples as there are test graphs, 40, is usual in the literature.

References:
    Martinkus et al. 2022, SPECTRE, arXiv:2204.01613, section 5 (valid, unique, novel)
    Bergmeister et al. 2024, arXiv:2312.11529, section 5 (the mean ratio)
"""

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
import torch
from jaxtyping import Bool

from models.card.card import ModelCard
from models.data.dataset import GraphData
from models.evaluation.isomorphism import GraphSet
from models.evaluation.statistics import FIRST_STATISTICS, STATISTICS
from models.graphs import GraphBatch
from models.rules.validity import VALIDITY, is_connected

_SMALLEST_DISTANCE = 1e-5


def evaluate_graphs(card: ModelCard, samples: Sequence[GraphBatch], data: GraphData) -> dict[str, float]:
    """Metrics of samples, by the names above, against the data that the card's model was trained on."""
    drawn = [adjacency for batch in samples for adjacency in adjacencies(batch)]
    return {
        **_validity(card, samples, drawn, data),
        **mmd_ratios(drawn, train=list(adjacencies(data.train)), test=list(adjacencies(data.test))),
        **_type_distances(samples, data),
    }


def adjacencies(graphs: GraphBatch) -> Iterator[Bool[np.ndarray, "_ _"]]:
    """Which nodes of each graph are neighbours, whatever the type of their edge."""
    for edges, size in zip(graphs.edges, graphs.num_nodes.tolist(), strict=True):
        yield (edges[:size, :size] > 0).numpy()


def mmd_ratios(
    samples: Sequence[np.ndarray], *, train: Sequence[np.ndarray], test: Sequence[np.ndarray]
) -> dict[str, float]:
    """`mmd_…`, `ratio_…` and their mean `ratio`; without the ratios in which training and test graphs are all alike."""
    statistics = STATISTICS | FIRST_STATISTICS
    histograms = {
        of_graph: [[of_graph(graph) for graph in graphs] for graphs in (samples, train, test)]
        for of_graph in {statistic.of_graph for statistic in statistics.values()}
    }
    distances, ratios = {}, {}
    for name, statistic in statistics.items():
        *others, reference = histograms[statistic.of_graph]
        found, expected = (statistic.squared_mmd(other, reference) for other in others)
        distances[f"mmd_{name}"] = found
        if expected > _SMALLEST_DISTANCE:
            ratios[f"ratio_{name}"] = found / expected
    of_all = [ratio for name, ratio in ratios.items() if name.removeprefix("ratio_") in STATISTICS]
    return {**distances, **ratios, **({"ratio": fmean(of_all)} if of_all else {})}


def _validity(
    card: ModelCard, samples: Sequence[GraphBatch], drawn: Sequence[np.ndarray], data: GraphData
) -> dict[str, float]:
    is_valid = VALIDITY[data.validity] if data.validity else None
    known, earlier = GraphSet(data.train.labelled(data.node_types, data.edge_types)), GraphSet()
    unique, novel = [], []
    for batch in samples:
        for graph in batch.labelled(card.node_types, card.edge_types):
            unique.append(earlier.add(graph))
            novel.append(graph not in known)
    shares = {
        "connected": fmean(map(is_connected, drawn)),
        "unique": fmean(unique),
        "novel": fmean(novel),
    }
    if is_valid is None:
        return shares
    valid = [is_valid(graph) for graph in drawn]
    return {
        "vun": fmean(map(all, zip(valid, unique, novel, strict=True))),
        "valid": fmean(valid),
        **shares,
        "training_valid": fmean(map(is_valid, adjacencies(data.train))),
    }


def _type_distances(samples: Sequence[GraphBatch], data: GraphData) -> dict[str, float]:
    def shares(graphs: Sequence[GraphBatch], kind: str) -> torch.Tensor:
        if kind == "node":
            types = torch.cat([batch.nodes[batch.node_mask] for batch in graphs])
            counts = torch.bincount(types.long(), minlength=len(data.node_types))
        else:
            types = torch.cat([batch.edges[batch.edge_mask] for batch in graphs])
            counts = torch.bincount(types.long(), minlength=len(data.edge_types))[1:]
        return counts / counts.sum().clamp(min=1)

    kinds = {"node": len(data.node_types) > 1, "edge": len(data.edge_types) > 2}
    return {
        f"tv_{kind}_types": float((shares(samples, kind) - shares([data.test], kind)).abs().sum() / 2)
        for kind, several in kinds.items()
        if several
    }
