"""Graphs to learn from: three splits in memory as small integers, and their statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.card.config import Domain, Validity
from models.graphs import GraphBatch

SPLITS = ("train", "validation", "test")
_PAIRS_AT_ONCE = 2**24


@dataclass(frozen=True)
class LabelledGraphs:
    """Graphs and the properties of each."""

    graphs: GraphBatch
    values: Float[Tensor, "b p"]

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: Tensor | slice) -> "LabelledGraphs":
        """The chosen graphs with their properties."""
        return LabelledGraphs(self.graphs[index], self.values[index])

    def with_properties(self, columns: Sequence[int]) -> "LabelledGraphs":
        """The same graphs with these properties alone."""
        return LabelledGraphs(self.graphs, self.values[:, columns])

    @staticmethod
    def concatenate(parts: Sequence["LabelledGraphs"]) -> "LabelledGraphs":
        """All graphs of parts of one width, in order."""
        graphs = GraphBatch.concatenate([part.graphs for part in parts])
        return LabelledGraphs(graphs, torch.cat([part.values for part in parts]))

    def to(self, device: torch.device | str) -> "LabelledGraphs":
        """The same on another device."""
        return LabelledGraphs(self.graphs.to(device), self.values.to(device))


@dataclass(frozen=True)
class GraphData:
    """A data set: its vocabulary, its splits, and what to call them in a card."""

    name: str
    domain: Domain
    split: str
    node_types: list[str]
    edge_types: list[str]
    train: GraphBatch
    validation: GraphBatch
    test: GraphBatch
    notes: list[str]
    validity: Validity | None = None

    @property
    def max_nodes(self) -> int:
        """Size of the largest graph of any split."""
        return max(int(getattr(self, split).num_nodes.max()) for split in SPLITS)

    def node_marginals(self) -> list[float]:
        """Frequency of each node type in the training split."""
        graphs = self.train
        return _frequencies(_counts(graphs.nodes[graphs.node_mask], len(self.node_types)))

    def edge_marginals(self) -> list[float]:
        """Frequency of each edge type over all pairs of nodes in the training split; of graphs without a pair, that of no edge is 1."""
        graphs, counts = self.train, torch.zeros(len(self.edge_types), dtype=torch.long)
        size = max(_PAIRS_AT_ONCE // max(graphs.max_nodes, 1) ** 2, 1)
        for part in (graphs[first : first + size] for first in range(0, len(graphs), size)):
            counts += _counts(part.edges[part.edge_mask], len(counts))
        return _frequencies(counts)

    def size_distribution(self) -> dict[int, float]:
        """num_nodes -> its frequency in the training split."""
        frequencies = _frequencies(_counts(self.train.num_nodes, self.max_nodes + 1))
        return {size: frequency for size, frequency in enumerate(frequencies) if frequency > 0}


def save_graphs(splits: dict[str, GraphBatch], path: Path) -> None:
    """Write splits as they are."""
    tensors = {
        f"{split}.{field}": getattr(graphs, field)
        for split, graphs in splits.items()
        for field in ("nodes", "edges", "num_nodes")
    }
    save_file(tensors, path)


def load_graphs(path: Path) -> dict[str, GraphBatch]:
    """The splits that `save_graphs` wrote."""
    tensors = load_file(path)
    return {
        split: GraphBatch(*(tensors[f"{split}.{field}"] for field in ("nodes", "edges", "num_nodes")))
        for split in SPLITS
    }


def _counts(categories: Int[Tensor, " k"], num_categories: int) -> Int[Tensor, " c"]:
    return torch.bincount(categories.long(), minlength=num_categories)


def _frequencies(counts: Int[Tensor, " c"]) -> list[float]:
    """Shares of all counts; if all are 0, everything is of the first category."""
    total = int(counts.sum())
    frequencies: list[float] = (counts.double() / total).tolist() if total else [1.0] + [0.0] * (len(counts) - 1)
    return frequencies
