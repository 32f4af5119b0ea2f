"""Wanted property values, and how well a noisy graph fits them according to a regressor.

Axes: b graphs, n nodes, k or l categories, p targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.graphs import GraphBatch
from models.properties import PropertyDistribution


@runtime_checkable
class PropertyModel(Protocol):
    """What guidance needs of a regressor."""

    std: Tensor

    def __call__(self, graph: GraphBatch, t: Int[Tensor, " b"]) -> PropertyDistribution:
        """The properties of the clean graph, given that it is `graph` at time t."""

    def one_hot(self, graph: GraphBatch) -> tuple[Float[Tensor, "b n k"], Float[Tensor, "b n n l"]]:
        """The noisy categories as the regressor reads them."""

    def from_one_hot(
        self, nodes: Float[Tensor, "b n k"], edges: Float[Tensor, "b n n l"], graph: GraphBatch, t: Int[Tensor, " b"]
    ) -> PropertyDistribution:
        """The same as a differentiable function of one-hot categories."""


@dataclass(frozen=True)
class Targets:
    """Wanted values, for b graphs, of some properties of one regressor: those at `columns` of its outputs."""

    regressor: PropertyModel
    columns: Sequence[int]
    values: Float[Tensor, "b p"]

    def predicted(self, graph: GraphBatch, t: Int[Tensor, " b"]) -> PropertyDistribution:
        """The regressor's prediction of these properties, in their own units."""
        return self.regressor(graph, t)[self.columns]

    def log_density(self, graph: GraphBatch, t: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The logarithm of p(y | z_t), the properties being independent."""
        return self.predicted(graph, t).log_density(self.values).sum(1)

    def expected_error(self, graph: GraphBatch, t: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Σ_k E|Y_k - y_k| / σ_k."""
        return (self.predicted(graph, t).expected_error(self.values) / self.regressor.std[self.columns]).sum(1)

    def squared_error(
        self, nodes: Float[Tensor, "b n k"], edges: Float[Tensor, "b n n l"], graph: GraphBatch, t: Int[Tensor, " b"]
    ) -> Float[Tensor, " b"]:
        """Σ_k ((g_k(z_t) - y_k)/σ_k)², differentiable in the one-hot noisy graph."""
        predicted = self.regressor.from_one_hot(nodes, edges, graph, t)[self.columns]
        return ((predicted.location - self.values) / self.regressor.std[self.columns]).square().sum(1)

    def error_gradient(
        self, graph: GraphBatch, t: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b n k"], Float[Tensor, "b n n l"]]:
        """The derivative of each graph's squared error by its one-hot nodes and pairs.

        A pair is written twice in a graph, so its derivative is the sum over both places, and symmetric.
        DiGress: `cond_fn`, which takes the mean of both places, and of targets and batch.
        """
        with torch.enable_grad():
            nodes, edges = (categories.requires_grad_() for categories in self.regressor.one_hot(graph))
            # The graphs of a batch do not interact, so the gradient of the sum holds each one's own.
            total = self.squared_error(nodes, edges, graph, t).sum()
            by_nodes, by_edges = torch.autograd.grad(total, (nodes, edges))
        return by_nodes, by_edges + by_edges.transpose(1, 2)

    def __getitem__(self, index: Tensor) -> "Targets":
        """The targets of the chosen graphs."""
        return replace(self, values=self.values[index])
