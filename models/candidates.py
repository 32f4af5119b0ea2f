"""The best of several candidates for each graph: draw k, keep the one that is expected nearest to the targets.

Candidate c of graph i has the number i · k + c. Cohorts of candidates are finished in any order, and the candidates of one graph
may be in several of them; so candidates wait here until the last one of their graph has been drawn.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.graphs import GraphBatch


@dataclass(frozen=True)
class FinishedCandidates:
    """Clean graphs by candidate number, and the distance of each from the targets."""

    numbers: Int[Tensor, " b"]
    seeds: Int[Tensor, " b"]
    graphs: GraphBatch
    distance: Float[Tensor, " b"]
    frames: tuple[GraphBatch, ...]

    def __getitem__(self, rows: Tensor) -> "FinishedCandidates":
        frames = tuple(frame[rows] for frame in self.frames)
        return FinishedCandidates(self.numbers[rows], self.seeds[rows], self.graphs[rows], self.distance[rows], frames)

    def joined(self, other: "FinishedCandidates") -> "FinishedCandidates":
        """These and others of the same width."""
        return FinishedCandidates(
            torch.cat([self.numbers, other.numbers]),
            torch.cat([self.seeds, other.seeds]),
            GraphBatch.concatenate([self.graphs, other.graphs]),
            torch.cat([self.distance, other.distance]),
            tuple(map(GraphBatch.concatenate, zip(self.frames, other.frames, strict=True))),
        )


class BestCandidates:
    """Chooses among `count` candidates per graph, as soon as all of them are there."""

    def __init__(self, count: int) -> None:
        self._count = count
        # By width: candidates whose graph still lacks some.
        self._waiting: dict[int, FinishedCandidates] = {}

    def choose(self, finished: FinishedCandidates) -> FinishedCandidates:
        """The best candidate of each graph that is complete now, with the seed of that graph's first candidate."""
        width = finished.graphs.max_nodes
        if waiting := self._waiting.pop(width, None):
            finished = waiting.joined(finished)
        finished = finished[finished.numbers.argsort()]
        graph = finished.numbers // self._count
        is_complete = graph.bincount()[graph] == self._count
        if not is_complete.all():
            self._waiting[width] = finished[~is_complete]
        complete = finished[is_complete]
        first = torch.arange(0, len(complete.numbers), self._count, device=complete.numbers.device)
        best = first + complete.distance.view(-1, self._count).argmin(1)
        return replace(complete[best], seeds=complete.seeds[first])
