"""What a plan gives of its graphs, as tensors for a batch of them.

Axes: f parts, b graphs, n nodes after padding.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from models.diffusion.context import Context, Given
from models.given.partial import PartialGraph
from models.graphs import GraphBatch


class GivenParts:
    """Parts to draw around: graph i of a plan gets number i modulo f."""

    def __init__(self, parts: Sequence[PartialGraph], device: torch.device) -> None:
        self._parts, self._device = parts, device
        self._tables: dict[int, Given] = {}

    def context(self, indices: Int[Tensor, " b"], num_nodes: Int[Tensor, " b"], *, width: int) -> Context:
        """What is given of the plan's graphs number `indices`, which have `num_nodes` nodes each."""
        given = self._table(width)[indices % len(self._parts)]
        graph = GraphBatch(given.graph.nodes, given.graph.edges, num_nodes)
        return Context(Given(graph, given.nodes & graph.node_mask, given.pairs & graph.edge_mask))

    def graphs(self, indices: Int[Tensor, " b"], num_nodes: Int[Tensor, " b"], *, width: int) -> GraphBatch:
        """The parts themselves, as graphs of `num_nodes` nodes; what is open has category 0."""
        known = self._table(width).graph[indices % len(self._parts)]
        return GraphBatch(known.nodes, known.edges, num_nodes)

    def _table(self, width: int) -> Given:
        """Every part, in a graph of this width."""
        if width not in self._tables:
            nodes, edges = torch.zeros(len(self._parts), width), torch.zeros(len(self._parts), width, width)
            is_node, is_pair, closed = (torch.zeros_like(x, dtype=torch.bool) for x in (nodes, edges, nodes))
            for row, part in enumerate(self._parts):
                for place, category in enumerate(part.nodes):
                    if category is not None:
                        nodes[row, place], is_node[row, place] = category, True
                for (i, j), category in part.pairs.items():
                    edges[row, i, j] = edges[row, j, i] = category
                    is_pair[row, i, j] = is_pair[row, j, i] = True
                closed[row, list(part.closed)] = True
            # A closed node has no edge to any node after the part; within it, its pairs are as the part says.
            within = torch.arange(width)[None] < torch.tensor([len(part) for part in self._parts])[:, None]
            closed_pairs = closed[:, :, None] & ~within[:, None, :]
            is_pair |= closed_pairs | closed_pairs.mT
            sizes = torch.full((len(self._parts),), width)
            known = GraphBatch(nodes.long(), edges.long(), sizes).to(self._device)
            self._tables[width] = Given(known, is_node.to(self._device), is_pair.to(self._device))
        return self._tables[width]
