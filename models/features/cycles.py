"""How many cycles of length 3, 4 and 5 pass through each node.

Closed walks of length k are counted by diag(Aᵏ); those that are not cycles are taken away. With d the degrees
and c_k the number of k-cycles through a node (each counted once, not once per direction):

    2 c₃ = diag(A³)
    2 c₄ = diag(A⁴) - d (d - 1) - A d
    2 c₅ = diag(A⁵) - 2 diag(A³) ⊙ d - A diag(A³) - 2 (A ⊙ A²) d + 5 diag(A³)

References:
    Vignac et al. 2023, DiGress, arXiv:2209.14734, appendix B.2 (cycle counts as features)
    Alon, Yuster & Zwick 1997, Finding and counting given length cycles, section 6
"""

import torch
from jaxtyping import Float
from torch import Tensor


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
