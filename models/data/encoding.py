"""Labelled graphs as a batch of small integers."""

from collections.abc import Sequence

import torch

from models.graphs import GraphBatch

LabelledGraph = tuple[Sequence[str], Sequence[tuple[int, int, str]]]


def encode_graphs(graphs: Sequence[LabelledGraph], node_types: Sequence[str], edge_types: Sequence[str]) -> GraphBatch:
    """Graphs, each the type of every node and (i, j, type) of every edge, over a vocabulary; padded to the largest, int8.

    Raises:
        KeyError: if a type is not in the vocabulary.
    """
    node_index = {label: i for i, label in enumerate(node_types)}
    edge_index = {label: i for i, label in enumerate(edge_types)}
    widest = max((len(types) for types, _ in graphs), default=0)
    nodes = torch.zeros(len(graphs), widest, dtype=torch.int8)
    edges = torch.zeros(len(graphs), widest, widest, dtype=torch.int8)
    for row, (types, pairs) in enumerate(graphs):
        nodes[row, : len(types)] = torch.tensor([node_index[label] for label in types], dtype=torch.int8)
        if pairs:
            begin, end, labels = zip(*pairs, strict=True)
            values = torch.tensor([edge_index[label] for label in labels], dtype=torch.int8)
            edges[row, list(begin), list(end)] = edges[row, list(end), list(begin)] = values
    return GraphBatch(nodes, edges, torch.tensor([len(types) for types, _ in graphs], dtype=torch.int16))
