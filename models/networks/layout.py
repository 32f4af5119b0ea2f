"""Where a network keeps what it knows about pairs of nodes.

    PairLayout      one vector per unordered pair i < j: (b, n(n-1)/2, d)
    MatrixLayout    one vector per ordered pair, diagonal included: (b, n², d), as DiGress does it

Attention needs the square form for a few channels; everything else on edges (norms, linear maps, pooling)
runs on the stored form, and an unordered pair costs half of two ordered ones. Going from the square to pairs
averages both directions, so pair features stay symmetric.

The gradient of each conversion is, up to a factor, the other conversion. Written out like that it is several times faster than
the sum over indices that torch would derive.
"""

from functools import lru_cache
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# A product with all pairs grows as n³, but up to here it is quicker than the sum over the square.
_WIDEST_INCIDENCE = 64


class PairLayout:
    """Unordered pairs, in the order (0, 1), (0, 2), …, (n-2, n-1)."""

    def __init__(self, num_nodes: int, device: torch.device) -> None:
        self.num_nodes = num_nodes
        self.low, self.high = torch.triu_indices(num_nodes, num_nodes, offset=1, device=device)
        slots = torch.zeros(num_nodes, num_nodes, dtype=torch.long, device=device)
        slots[self.low, self.high] = slots[self.high, self.low] = torch.arange(len(self.low), device=device)
        self.slots = slots.flatten()
        self.upper_index = self.low * num_nodes + self.high
        self.lower_index = self.high * num_nodes + self.low
        self.incidence = self._incidence(device) if num_nodes <= _WIDEST_INCIDENCE else None

    def _incidence(self, device: torch.device) -> Float[Tensor, "n m"]:
        """Node by pair: 1 where the node is an end of the pair."""
        nodes = torch.arange(self.num_nodes, device=device)[:, None]
        is_end: Tensor = (nodes == self.low) | (nodes == self.high)
        return is_end.float()

    def to_square(self, stored: Float[Tensor, "b m d"]) -> Float[Tensor, "b n n d"]:
        """Both directions read the pair; the diagonal is zero."""
        square: Tensor = _ToSquare.apply(stored, self)  # type: ignore[no-untyped-call]
        return square

    def from_square(self, square: Float[Tensor, "b n n d"]) -> Float[Tensor, "b m d"]:
        """The mean of both directions."""
        stored: Tensor = _FromSquare.apply(square, self)  # type: ignore[no-untyped-call]
        return stored

    def sum_of_ends(self, nodes: Float[Tensor, "b n d"]) -> Float[Tensor, "b m d"]:
        """For each pair, the sum of what its two nodes hold."""
        ends: Tensor = _SumOfEnds.apply(nodes, self)  # type: ignore[no-untyped-call]
        return ends

    def sum_at_nodes(self, stored: Float[Tensor, "b m d"], mask: Bool[Tensor, "b m"]) -> Float[Tensor, "b n d"]:
        """For each node, the sum over the real pairs that it belongs to."""
        return self.total_at_nodes(stored * mask[..., None])

    def total_at_nodes(self, stored: Float[Tensor, "b m d"]) -> Float[Tensor, "b n d"]:
        """For each node, the sum over all pairs that it belongs to."""
        if self.incidence is None:
            return self.to_square(stored).sum(2)
        total: Tensor = self.incidence.to(stored.dtype) @ stored
        return total

    def mask(self, edge_mask: Bool[Tensor, "b n n"]) -> Bool[Tensor, "b m"]:
        """True at real pairs."""
        return edge_mask.flatten(1).index_select(1, self.upper_index)


class _ToSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, stored: Tensor, layout: PairLayout) -> Tensor:
        ctx.layout = layout
        return _spread(stored, layout)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _gathered(gradient, ctx.layout), None


class _FromSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, square: Tensor, layout: PairLayout) -> Tensor:
        ctx.layout = layout
        return _gathered(square, layout) / 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _spread(gradient / 2, ctx.layout), None


class _SumOfEnds(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nodes: Tensor, layout: PairLayout) -> Tensor:
        ctx.layout = layout
        return nodes.index_select(1, layout.low) + nodes.index_select(1, layout.high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.layout.total_at_nodes(gradient), None


def _spread(stored: Tensor, layout: PairLayout) -> Tensor:
    batch, _, width = stored.shape
    if not stored.shape[1]:
        return stored.new_zeros(batch, layout.num_nodes, layout.num_nodes, width)
    square = stored.index_select(1, layout.slots).view(batch, layout.num_nodes, layout.num_nodes, width)
    square.diagonal(dim1=1, dim2=2).zero_()
    return square


def _gathered(square: Tensor, layout: PairLayout) -> Tensor:
    flat = square.flatten(1, 2).contiguous()
    return flat.index_select(1, layout.upper_index) + flat.index_select(1, layout.lower_index)


class MatrixLayout:
    """Ordered pairs, row by row."""

    def __init__(self, num_nodes: int) -> None:
        self.num_nodes = num_nodes

    def to_square(self, stored: Float[Tensor, "b m d"]) -> Float[Tensor, "b n n d"]:
        return stored.view(len(stored), self.num_nodes, self.num_nodes, -1)

    def from_square(self, square: Float[Tensor, "b n n d"]) -> Float[Tensor, "b m d"]:
        return square.flatten(1, 2)

    def sum_of_ends(self, nodes: Float[Tensor, "b n d"]) -> Float[Tensor, "b m d"]:
        return (nodes[:, :, None] + nodes[:, None, :]).flatten(1, 2)

    def sum_at_nodes(self, stored: Float[Tensor, "b m d"], mask: Bool[Tensor, "b m"]) -> Float[Tensor, "b n d"]:
        return self.to_square(stored * mask[..., None]).sum(2)

    def mask(self, edge_mask: Bool[Tensor, "b n n"]) -> Bool[Tensor, "b m"]:
        return edge_mask.flatten(1)


EdgeLayout = PairLayout | MatrixLayout


@lru_cache(maxsize=64)
def edge_layout(kind: Literal["pairs", "matrix"], num_nodes: int, device: torch.device) -> EdgeLayout:
    """The layout for graphs of this width, its index tables made once."""
    # Tables made in inference mode could not be used in training afterwards.
    with torch.inference_mode(False):
        return PairLayout(num_nodes, device) if kind == "pairs" else MatrixLayout(num_nodes)
