"""Sets to vectors: what the nodes or the pairs of a graph look like together.

Mean, minimum, maximum and standard deviation over the real elements only, so that neither padding nor batch
mates change the result. DiGress pools with the same four statistics (arXiv:2209.14734, appendix C) but leaves
the mask out.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

STATISTICS = 4
_SMALLEST_VARIANCE = 1e-6


def masked_statistics(elements: Float[Tensor, "b m d"], mask: Bool[Tensor, "b m"]) -> Float[Tensor, "b _"]:
    """Mean, minimum, maximum, standard deviation; zeros for a graph that has no such element."""
    count = mask.sum(1, keepdim=True)
    with torch.autocast(elements.device.type, enabled=False):
        elements = elements.float()
        weights = (mask / count.clamp(min=1))[:, None]
        mean = (weights @ elements)[:, 0]
        variance = (weights @ (elements * elements))[:, 0] - mean.square()
        deviation = (variance.clamp(min=0) + _SMALLEST_VARIANCE).sqrt()
        if elements.shape[1] == 0:
            return torch.cat([mean, mean, mean, deviation], dim=-1)
        # What is not real reads as the first element that is.
        first = mask.int().argmax(1)[:, None, None].expand(-1, 1, elements.shape[2])
        stand_in = elements.gather(1, first)
        real = torch.where(mask[..., None], elements, stand_in)
        lowest, highest = (extreme(real, 1).masked_fill(count == 0, 0) for extreme in (torch.amin, torch.amax))
        return torch.cat([mean, lowest, highest, deviation], dim=-1)
