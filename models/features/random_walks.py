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


def random_walks(adjacency: Float[Tensor, "b n n"], num_powers: int) -> Float[Tensor, "b n n K"]:
    """S¹ … Sᴷ, stacked on the last axis; differentiable in the adjacency."""
    scale = adjacency.sum(-1).clamp(min=1).rsqrt()
    step = scale[:, :, None] * adjacency * scale[:, None, :]
    powers = [step]
    while len(powers) < num_powers:
        powers.append(powers[-1] @ step)
    return torch.stack(powers[:num_powers], dim=-1) if num_powers else adjacency.new_zeros(*adjacency.shape, 0)
