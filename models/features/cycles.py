"""How many cycles of length 3, 4 and 5 pass through each node, and how many of length 6 a graph has.

Closed walks of length k are counted by diag(Aᵏ); those that are not cycles are taken away. With d the degrees
and c_k the number of k-cycles through a node (each counted once, not once per direction):

    2 c₃ = diag(A³)
    2 c₄ = diag(A⁴) - d (d - 1) - A d
    2 c₅ = diag(A⁵) - 2 diag(A³) ⊙ d - A diag(A³) - 2 (A ⊙ A²) d + 5 diag(A³)

A cycle of length 6 is two paths of length 3 between opposite nodes that share no node on the way; it has three such
pairs. With W = A² and p_ij the number of paths of length 3 from i to j,

    p_ij = (A³)_ij - A_ij (d_i + d_j - 1)
    3 c₆ = Σ_{i<j} [ p_ij choose 2 ] - Σ_{i≠j} Σ_{a≠j} A_ia [ W_aj - A_ij choose 2 ]
           - Σ_{i<j} Σ_a A_ia A_aj (W_ai - A_ij)(W_aj - A_ij) + Σ_{i<j} A_ij [ W_ij choose 2 ]

The second sum counts pairs of paths that share the node beside i or that beside j, the third those that cross in
one node; the last gives back those that run along the same edge both ways, which the third counts twice.

References:
    Vignac et al. 2023, DiGress, arXiv:2209.14734, appendix B (cycle counts as features)
    Alon, Yuster & Zwick 1997, Finding and counting given length cycles, section 6
"""

import torch
from jaxtyping import Float
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.features.feature import Feature, FeatureValues, NoisyGraph, Widths

_LENGTHS = (3, 4, 5)
# Counts are divided by this and capped at 1, as DiGress does it: dense graphs have very many cycles.
_SCALE = 10.0


class CycleFeature(Feature):
    """Cycles of length 3, 4 and 5 through each node, and in the graph."""

    widths = Widths(nodes=len(_LENGTHS), graph=len(_LENGTHS))
    description = "cycles of length 3 to 5"

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature | None:
        return cls() if config.cycles else None

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        cycles = cycle_counts(noisy.adjacency)
        # Summed over nodes, a cycle is counted as often as it is long.
        total = cycles.sum(1) / torch.arange(min(_LENGTHS), max(_LENGTHS) + 1, device=cycles.device)
        return FeatureValues(nodes=(cycles / _SCALE).clamp(max=1), graph=(total / _SCALE).clamp(max=1))


class SixCycleFeature(Feature):
    """Cycles of length 6 in the graph."""

    widths = Widths(graph=1)
    description = "cycles of length 6"

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature | None:
        return cls() if config.six_cycles else None

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        return FeatureValues(graph=(six_cycles(noisy.adjacency)[:, None] / _SCALE).clamp(max=1))


def cycle_counts(adjacency: Float[Tensor, "b n n"]) -> Float[Tensor, "b n 3"]:
    """Cycles of length 3, 4, 5 through each node; exact for a 0/1 adjacency, and differentiable in it."""
    degree = adjacency.sum(-1)
    walks_2 = adjacency @ adjacency
    walks_3 = walks_2 @ adjacency
    closed_3, closed_4, closed_5 = (
        (walks * back).sum(-1) for walks, back in ((walks_2, adjacency), (walks_2, walks_2), (walks_3, walks_2))
    )

    def over_neighbours(values: Tensor) -> Tensor:
        return (adjacency @ values[..., None])[..., 0]

    wedges = ((adjacency * walks_2) @ degree[..., None])[..., 0]
    five = closed_5 - 2 * closed_3 * degree - over_neighbours(closed_3) - 2 * wedges + 5 * closed_3
    four = closed_4 - degree * (degree - 1) - over_neighbours(degree)
    return torch.stack([closed_3, four, five], dim=-1) / 2


def six_cycles(adjacency: Float[Tensor, "b n n"]) -> Float[Tensor, " b"]:
    """Cycles of length 6 in each graph; exact for a 0/1 adjacency, and differentiable in it."""
    degree = adjacency.sum(-1)
    walks = adjacency @ adjacency
    apart = 1 - torch.eye(adjacency.shape[-1], device=adjacency.device)
    paths = (walks @ adjacency - adjacency * (degree[:, :, None] + degree[:, None, :] - 1)) * apart
    absent = (1 - adjacency) * apart
    beside = absent * (adjacency @ (_pairs(walks) * apart)) + adjacency * (adjacency @ (_pairs(walks - 1) * apart))
    common = adjacency * walks
    crossing = absent * (common @ common) + adjacency * ((common - adjacency) @ (common - adjacency))
    ordered = _pairs(paths) - 2 * beside - crossing + adjacency * _pairs(walks)
    return ordered.sum((1, 2)) / 6


def _pairs(counts: Tensor) -> Tensor:
    return counts * (counts - 1) / 2
