"""What a denoiser knows beside the noisy graph and the time.

    p̂(x | z_t, context)

Drawing with a context is drawing from the conditional distribution. The context goes unchanged through every step of a sampler. What
is *given* (nodes and pairs whose categories are known) is the one thing in it.

Two kinds of denoisers draw with something given (`DenoisingModel.reads_given`):

    one that reads it      given entries are clean in z_t at every t and flagged to the network. With an exact denoiser, samples
                           follow the conditional distribution
    any other              given entries are noised like all others, and p̂ is replaced by what is given before the reverse step

Either way what is given is in the finished graph, exactly.

Axes: b graphs, n nodes, k or l categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.graphs import GraphBatch, GraphDistribution


@dataclass(frozen=True)
class Given:
    """The categories of `graph` at the nodes and pairs that are True; `pairs` is symmetric, and its diagonal False."""

    graph: GraphBatch
    nodes: Bool[Tensor, "b n"]
    pairs: Bool[Tensor, "b n n"]

    @staticmethod
    def nothing(graph: GraphBatch) -> Given:
        """Nothing given of graphs of this shape."""
        return Given(
            graph, torch.zeros_like(graph.nodes, dtype=torch.bool), torch.zeros_like(graph.edges, dtype=torch.bool)
        )

    def __getitem__(self, index: Tensor | slice) -> Given:
        """What is given of the chosen graphs."""
        return Given(self.graph[index], self.nodes[index], self.pairs[index])

    def put_into(self, graph: GraphBatch) -> GraphBatch:
        """The graphs with the given categories in their places."""
        return GraphBatch(
            torch.where(self.nodes, self.graph.nodes, graph.nodes),
            torch.where(self.pairs, self.graph.edges, graph.edges),
            graph.num_nodes,
        )

    def made_certain(self, probs: GraphDistribution) -> GraphDistribution:
        """The distributions with all probability on the given categories."""
        return GraphDistribution(
            _certain(probs.nodes, self.graph.nodes, self.nodes), _certain(probs.edges, self.graph.edges, self.pairs)
        )

    @staticmethod
    def concatenate(parts: Sequence[Given]) -> Given:
        """What is given of all graphs, in order; they are padded to one width."""
        return Given(
            GraphBatch.concatenate([part.graph for part in parts]),
            torch.cat([part.nodes for part in parts]),
            torch.cat([part.pairs for part in parts]),
        )


@dataclass(frozen=True)
class Context:
    """What is given of b graphs, if anything is."""

    given: Given | None = None

    def __getitem__(self, index: Tensor | slice) -> Context:
        """The context of the chosen graphs."""
        return self if self.given is None else Context(self.given[index])

    @staticmethod
    def concatenate(parts: Sequence[Context], graphs: Sequence[GraphBatch]) -> Context:
        """The context of all graphs, in order; `graphs` are those that each part is about."""
        if all(part.given is None for part in parts):
            return NO_CONTEXT
        return Context(
            Given.concatenate([part.given or Given.nothing(of) for part, of in zip(parts, graphs, strict=True)])
        )


NO_CONTEXT: Final = Context()


def _certain(
    probs: Float[Tensor, "b ... k"], categories: Int[Tensor, "b ..."], where: Bool[Tensor, "b ..."]
) -> Float[Tensor, "b ... k"]:
    certain = F.one_hot(categories * where, probs.shape[-1]).to(probs.dtype)
    return torch.where(where[..., None], certain, probs)
