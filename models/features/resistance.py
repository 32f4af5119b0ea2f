"""How far nodes are from each other in an electrical network whose edges are wires of one ohm.

    M = (D - A + ε I)^{-1},    R_ij = M_ii + M_jj - 2 M_ij

R_ij, the resistance distance, is at most the length of a shortest path and equal to it where there is only one path;
an edge whose ends are R = 1 apart is a bridge, and one on a cycle of length k alone has R = 1 - 1/k. Between components
it grows as 1/ε, beyond any that there is within one. So it shows at any distance what random walks show nearby:
which edges close a cycle, and which nodes are connected.

    pairs    same component; min(R, 1); exp(-R/4); exp(-R/16)
    nodes    share of the nodes in the same component
    graph    components and independent cycles, |E| - n + components, over n

These features are computed without gradients: whether nodes are connected has none.

Reference: Klein & Randić 1993, Resistance distance, doi:10.1007/BF01164627
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.features.feature import Feature, FeatureValues, NoisyGraph, Widths

_LEAK = 1e-8
_LENGTHS = (4.0, 16.0)


class ResistanceFeature(Feature):
    """The features above."""

    widths = Widths(nodes=1, pairs=2 + len(_LENGTHS), graph=2)
    description = "resistance distances"

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature | None:
        return cls() if config.resistance else None

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        found = resistance(noisy.adjacency, noisy.node_mask)
        return FeatureValues(nodes=found.nodes, pairs=found.pairs, graph=found.graph)


@dataclass(frozen=True)
class Resistance:
    """The features above."""

    pairs: Float[Tensor, "b n n 4"]
    nodes: Float[Tensor, "b n 1"]
    graph: Float[Tensor, "b 2"]


@torch.no_grad()
def resistance(adjacency: Float[Tensor, "b n n"], node_mask: Bool[Tensor, "b n"]) -> Resistance:
    """The features of graphs whose padding has no edges; their own size and order decide, not their batch mates."""
    distance, together = resistance_distance(adjacency, node_mask)
    size = node_mask.sum(1).clamp(min=1)
    share = together.sum(-1) / size[:, None]
    components = torch.where(node_mask, 1 / together.sum(-1).clamp(min=1), 0.0).sum(1)
    cycles = adjacency.sum((1, 2)) / 2 - size + components
    pairs = [together.float(), distance.clamp(max=1), *((-distance / length).exp() for length in _LENGTHS)]
    return Resistance(
        pairs=torch.stack([feature * together for feature in pairs], dim=-1),
        nodes=share[..., None],
        graph=torch.stack([components, cycles], dim=-1) / size[:, None],
    )


def resistance_distance(
    adjacency: Float[Tensor, "b n n"], node_mask: Bool[Tensor, "b n"]
) -> tuple[Float[Tensor, "b n n"], Bool[Tensor, "b n n"]]:
    """R, and which pairs of real nodes are in one component; across components R means nothing."""
    edges = adjacency.double()
    # Padding is on its own: a diagonal of one inverts to one.
    diagonal = edges.sum(-1) + _LEAK + (~node_mask).double()
    inverse = torch.linalg.inv(torch.diag_embed(diagonal) - edges)
    potential = inverse.diagonal(dim1=1, dim2=2)
    distance = (potential[:, :, None] + potential[:, None, :] - 2 * inverse).clamp(min=0)
    real = node_mask[:, :, None] & node_mask[:, None, :]
    # No path is longer than there are nodes; across components R is 2/n over ε at least.
    together = (distance < adjacency.shape[-1]) & real
    return distance.float(), together
