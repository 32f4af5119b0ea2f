"""Batches of graphs whose nodes and edges each have a category.

Three views of the same thing, kept apart by type:

    GraphBatch          one category per node and per pair (integers)
    GraphLogits         unnormalised log-probabilities over categories
    GraphDistribution   probabilities over categories

DiGress has one class for all three, and for transition matrices and widths: `PlaceHolder`.

Edges are undirected: every (n, n) array here is symmetric. Edge category 0 means "no edge", and the
diagonal is always category 0. A graph smaller than its batch is padded at the end; padding has category 0
and means nothing.

Axes: b graphs, n nodes after padding, k node categories, l edge categories.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.compute.arithmetic import softmax


@dataclass(frozen=True)
class GraphBatch:
    """`num_nodes[i]` real nodes in graph i; categories of nodes and of pairs."""

    nodes: Int[Tensor, "b n"]
    edges: Int[Tensor, "b n n"]
    num_nodes: Int[Tensor, " b"]

    def __len__(self) -> int:
        return len(self.num_nodes)

    def equals(self, other: GraphBatch) -> bool:
        """Whether all graphs are the same, node by node."""
        return all(
            torch.equal(mine, others)
            for mine, others in (
                (self.nodes, other.nodes),
                (self.edges, other.edges),
                (self.num_nodes, other.num_nodes),
            )
        )

    def __getitem__(self, index: Tensor | slice | Sequence[int]) -> GraphBatch:
        """The chosen graphs, still padded to this batch's width."""
        return GraphBatch(self.nodes[index], self.edges[index], self.num_nodes[index])

    @property
    def max_nodes(self) -> int:
        """Width of the padded batch."""
        return self.nodes.shape[1]

    @property
    def node_mask(self) -> Bool[Tensor, "b n"]:
        """True at real nodes."""
        positions = torch.arange(self.max_nodes, device=self.num_nodes.device)
        return positions < self.num_nodes[:, None]

    @property
    def edge_mask(self) -> Bool[Tensor, "b n n"]:
        """True at ordered pairs of two different real nodes."""
        mask = self.node_mask
        off_diagonal = ~torch.eye(self.max_nodes, dtype=torch.bool, device=mask.device)
        return mask[:, :, None] & mask[:, None, :] & off_diagonal

    def labelled(
        self, node_types: Sequence[str], edge_types: Sequence[str]
    ) -> Iterator[tuple[list[str], list[tuple[int, int, str]]]]:
        """Each graph as (type of every node, (i, j, type) of every edge, i < j)."""
        columns = (self.nodes.tolist(), self.edges.tolist(), self.num_nodes.tolist())
        for nodes, edges, size in zip(*columns, strict=True):
            pairs = [(i, j, edge_types[edges[i][j]]) for j in range(size) for i in range(j) if edges[i][j]]
            yield [node_types[node] for node in nodes[:size]], pairs

    def trimmed(self) -> GraphBatch:
        """The same graphs, no wider than the largest of them."""
        width = int(self.num_nodes.max())
        return GraphBatch(self.nodes[:, :width], self.edges[:, :width, :width], self.num_nodes)

    def long(self) -> GraphBatch:
        """The same in 64-bit integers, as networks take them."""
        return GraphBatch(self.nodes.long(), self.edges.long(), self.num_nodes.long())

    @staticmethod
    def concatenate(batches: Sequence[GraphBatch]) -> GraphBatch:
        """All graphs of batches of one width, in order."""
        return GraphBatch(
            torch.cat([batch.nodes for batch in batches]),
            torch.cat([batch.edges for batch in batches]),
            torch.cat([batch.num_nodes for batch in batches]),
        )

    def split(self, counts: Sequence[int]) -> list[GraphBatch]:
        """The graphs in parts of so many each."""
        parts = (torch.split(part, list(counts)) for part in (self.nodes, self.edges, self.num_nodes))
        return [GraphBatch(*columns) for columns in zip(*parts, strict=True)]

    def to(self, device: torch.device | str) -> GraphBatch:
        """The same graphs on another device."""
        return GraphBatch(self.nodes.to(device), self.edges.to(device), self.num_nodes.to(device))


@dataclass(frozen=True)
class GraphDistribution:
    """Independent categorical distributions; the last axis sums to one."""

    nodes: Float[Tensor, "b n k"]
    edges: Float[Tensor, "b n n l"]

    def __getitem__(self, index: Tensor) -> GraphDistribution:
        """The distributions of the chosen graphs."""
        return GraphDistribution(self.nodes[index], self.edges[index])

    def mixed_with(self, other: GraphDistribution, share: float) -> GraphDistribution:
        """(1 - share) · this + share · other."""
        return GraphDistribution(self.nodes.lerp(other.nodes, share), self.edges.lerp(other.edges, share))

    def with_graphs(self, index: Int[Tensor, " chosen"], others: GraphDistribution) -> GraphDistribution:
        """The same, with other distributions for the graphs at `index`."""
        return GraphDistribution(
            self.nodes.index_copy(0, index, others.nodes), self.edges.index_copy(0, index, others.edges)
        )


@dataclass(frozen=True)
class GraphLogits:
    """What a network predicts about the clean graph, before normalisation; edges are symmetric."""

    nodes: Float[Tensor, "b n k"]
    edges: Float[Tensor, "b n n l"]

    def softmax(self) -> GraphDistribution:
        """The distribution p̂(x | z_t) these logits stand for."""
        return GraphDistribution(softmax(self.nodes), softmax(self.edges))
