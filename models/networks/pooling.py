"""Sets to vectors: what the nodes or the pairs of a graph look like together.

Mean, minimum, maximum and standard deviation over the real elements only, so that neither padding nor batch
mates change the result. DiGress pools with the same four statistics (arXiv:2209.14734, appendix C) but leaves
the mask out.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

STATISTICS = 4
_SMALLEST_VARIANCE = 1e-6


def masked_statistics(elements: Float[Tensor, "b m d"], mask: Bool[Tensor, "b m"]) -> Float[Tensor, "b _"]:
    """Mean, minimum, maximum, standard deviation; zeros for a graph that has no such element."""
    statistics: Tensor = _MaskedStatistics.apply(elements, mask)  # type: ignore[no-untyped-call]
    return statistics


class _MaskedStatistics(torch.autograd.Function):
    """The gradient is written out, since what torch makes of the forward pass reads all elements more often.

    The mean μ moves by 1/count, the deviation σ by (x - μ)/(σ count), an extreme by 1 over how many elements share it.
    """

    @staticmethod
    def forward(ctx: Any, elements: Tensor, mask: Tensor) -> Tensor:
        precision = elements.dtype
        count = mask.sum(1, keepdim=True)
        with torch.autocast(elements.device.type, enabled=False):
            elements = elements.float()
            weights = (mask / count.clamp(min=1))[:, None]
            mean = (weights @ elements)[:, 0]
            variance = (weights @ (elements * elements))[:, 0] - mean.square()
            deviation = (variance.clamp(min=0) + _SMALLEST_VARIANCE).sqrt()
            if elements.shape[1] == 0:
                lowest = highest = mean
            else:
                # What is not real reads as the first element that is.
                first = mask.int().argmax(1)[:, None, None].expand(-1, 1, elements.shape[2])
                real = torch.where(mask[..., None], elements, elements.gather(1, first))
                lowest, highest = (extreme(real, 1).masked_fill(count == 0, 0) for extreme in (torch.amin, torch.amax))
        ctx.precision = precision
        ctx.save_for_backward(elements, mask, mean, variance >= 0, lowest, highest, deviation)
        return torch.cat([mean, lowest, highest, deviation], dim=-1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        elements, mask, mean, varies, lowest, highest, deviation = ctx.saved_tensors
        of_mean, of_lowest, of_highest, of_deviation = gradient.float().chunk(STATISTICS, dim=-1)
        slope = of_deviation * varies / deviation
        real = mask.float()
        with torch.autocast(elements.device.type, enabled=False):
            share = 1 / mask.sum(1, keepdim=True).clamp(min=1)
            total = torch.addcmul(_row(share * (of_mean - slope * mean)), _row(share * slope), elements)
            for extreme, of_extreme in ((lowest, of_lowest), (highest, of_highest)):
                # As numbers, since a comparison that gives bools takes three times as long.
                attained = torch.eq(elements, _row(extreme), out=torch.empty_like(elements))
                times = (real[:, None] @ attained).clamp(min=1)
                total.addcmul_(attained, _row(of_extreme) / times)
        return total.mul_(real[..., None]).to(ctx.precision), None


def _row(per_graph: Float[Tensor, "b d"]) -> Float[Tensor, "b 1 d"]:
    return per_graph[:, None]
