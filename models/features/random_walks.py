"""Random-walk encodings: how likely a walk of each length is to lead from one node to another.

    S = D^{-1/2} A D^{-1/2},    powers S¹ … Sᴷ

S^k_ij is the geometric mean of the probabilities that k steps of a random walk lead from i to j and from j to i,
so it says the same as the usual D⁻¹A but is symmetric, as an unordered pair needs. Its diagonal is the return
probability of the node.

References:
    Ma et al. 2023, GRIT, arXiv:2305.17589 (RRWP)
    Qin et al. 2024, DeFoG, arXiv:2410.04263 (RRWP for generation)
"""

import torch
from jaxtyping import Float
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.features.feature import Feature, FeatureValues, NoisyGraph, Widths


class RandomWalkFeature(Feature):
    """S¹ … Sᴷ for pairs, and their diagonals, the return probabilities, for nodes."""

    def __init__(self, num_powers: int) -> None:
        super().__init__()
        self.num_powers = num_powers
        self.widths = Widths(nodes=num_powers, pairs=num_powers)
        self.description = f"random walks of up to {num_powers} steps"

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature | None:
        return cls(config.random_walk_powers) if config.random_walk_powers else None

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        walks = random_walks(noisy.adjacency, self.num_powers)
        return FeatureValues(nodes=walks.diagonal(dim1=1, dim2=2).mT, pairs=walks)


def random_walks(adjacency: Float[Tensor, "b n n"], num_powers: int) -> Float[Tensor, "b n n K"]:
    """S¹ … Sᴷ, stacked on the last axis; differentiable in the adjacency."""
    scale = adjacency.sum(-1).clamp(min=1).rsqrt()
    step = scale[:, :, None] * adjacency * scale[:, None, :]
    powers = [step]
    while len(powers) < num_powers:
        powers.append(powers[-1] @ step)
    return torch.stack(powers[:num_powers], dim=-1) if num_powers else adjacency.new_zeros(*adjacency.shape, 0)
