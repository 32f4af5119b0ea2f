"""Batches to learn from, of graphs of similar size.

No worker processes and no per-graph objects: a batch is one indexing operation, which is faster than collating
graphs one by one by a factor that matters when a training step takes a tenth of a second.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from models.data.dataset import LabelledGraphs
from models.graphs import GraphBatch

_POOL = 20


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


def batches(dataset: GraphDataset | LabelledDataset, *, batch_size: int, seed: int | None = None) -> DataLoader[Any]:
    """A loader of batches; if a seed is given, shuffled anew each epoch, similar sizes together, and without a last smaller batch."""
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=None if seed is None else ShuffledSampler(dataset.sizes, batch_size=batch_size, seed=seed),
        drop_last=seed is not None and len(dataset) >= batch_size,
        collate_fn=_already_collated,
    )


def _already_collated(batch: Any) -> Any:
    """`__getitems__` has made a `GraphBatch` already."""
    return batch
