"""Graphs to learn from: three splits in memory as small integers, and their statistics.

No worker processes and no per-graph objects: a batch is one indexing operation, which is faster than collating
graphs one by one by a factor that matters when a training step takes a tenth of a second.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from models.card.config import Domain
from models.graphs import GraphBatch

SPLITS = ("train", "validation", "test")
_POOL = 20
_PAIRS_AT_ONCE = 2**24


class GraphDataset(Dataset[GraphBatch]):
    """One split. Asking for a list of indices gives one `GraphBatch`."""

    def __init__(self, graphs: GraphBatch) -> None:
        self.graphs = graphs

    @property
    def sizes(self) -> Int[Tensor, " b"]:
        """Number of nodes of each graph."""
        return self.graphs.num_nodes

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitems__(self, indices: Sequence[int]) -> GraphBatch:
        return self.graphs[torch.as_tensor(indices)].trimmed().long()

    def __getitem__(self, index: int) -> GraphBatch:
        return self.__getitems__([index])


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


class LabelledDataset(Dataset[LabelledGraphs]):
    """One split with properties. Asking for a list of indices gives one `LabelledGraphs`."""

    def __init__(self, labelled: LabelledGraphs) -> None:
        self.graphs, self.values = GraphDataset(labelled.graphs), labelled.values

    @property
    def sizes(self) -> Int[Tensor, " b"]:
        """Number of nodes of each graph."""
        return self.graphs.sizes

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitems__(self, indices: Sequence[int]) -> LabelledGraphs:
        return LabelledGraphs(self.graphs.__getitems__(indices), self.values[torch.as_tensor(indices)])

    def __getitem__(self, index: int) -> LabelledGraphs:
        return self.__getitems__([index])


class ShuffledSampler(Sampler[int]):
    """A new order every epoch, which depends on the seed and the epoch alone; cut into batches, each holds graphs of similar size.

    The graphs are dealt at random to pools of up to `_POOL` batches, and of a quarter of them at most. A pool is sorted by size and
    cut: padding costs time with the square of the size. Order within a batch, and of batches in a pool, is random.
    """

    def __init__(self, sizes: Int[Tensor, " b"], *, batch_size: int, seed: int) -> None:
        self.sizes, self.batch_size, self.seed, self.epoch = sizes, batch_size, seed, 0

    def __len__(self) -> int:
        return len(self.sizes)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self), generator=generator)
        num_batches = len(self) // self.batch_size
        num_whole = num_batches * self.batch_size
        for pool in torch.split(order[:num_whole], max(min(_POOL, num_batches // 4), 1) * self.batch_size):
            by_size = pool[self.sizes[pool].argsort(stable=True)].view(-1, self.batch_size)
            for batch in by_size[torch.randperm(len(by_size), generator=generator)]:
                yield from batch[torch.randperm(self.batch_size, generator=generator)].tolist()
        yield from order[num_whole:].tolist()


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


def batches(dataset: GraphDataset | LabelledDataset, *, batch_size: int, seed: int | None = None) -> DataLoader[Any]:
    """A loader of batches; if a seed is given, shuffled anew each epoch, similar sizes together, and without a last smaller batch."""
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=None if seed is None else ShuffledSampler(dataset.sizes, batch_size=batch_size, seed=seed),
        drop_last=seed is not None and len(dataset) >= batch_size,
        collate_fn=_as_it_is,
    )


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
    """Of nothing, all is of the first category."""
    total = int(counts.sum())
    frequencies: list[float] = (counts.double() / total).tolist() if total else [1.0] + [0.0] * (len(counts) - 1)
    return frequencies


def _as_it_is(batch: Any) -> Any:
    """`__getitems__` has made a `GraphBatch` already."""
    return batch
