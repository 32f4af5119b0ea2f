"""How fast a category is forgotten: ᾱ_t, the probability that it has survived until step t.

    cosine   ᾱ_t = f(t)/f(0),  f(t) = cos²(π/2 · (t/T + s)/(1 + s)),  s = 0.008
    linear   ᾱ_t = 1 - t/T:  as many categories are lost in each step as in any other

Both start at ᾱ_0 = 1 exactly, so that the last reverse step adds no noise, and end at `FLOOR` rather than
at 0, so that ᾱ_t/ᾱ_s is defined for every s <= t.

References:
    Nichol & Dhariwal 2021, Improved DDPM, arXiv:2102.09672, section 3.2 (cosine)
    Austin et al. 2021, D3PM, arXiv:2107.03006, section 3.1 (linear in survival: 1/(T - t + 1) per step)
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.card.config import DiffusionConfig

FLOOR = 1e-9
COSINE_OFFSET = 0.008


def alpha_bar(config: DiffusionConfig) -> Float[Tensor, " times"]:
    """ᾱ_0 … ᾱ_T of the named schedule, in double precision.

    DiGress: `PredefinedNoiseScheduleDiscrete`; "cosine" is `cosine_beta_schedule_discrete`, but for ᾱ_0, which is 0.9999 there.
    Its `custom_beta_schedule_discrete` is not here yet.
    """
    time = torch.linspace(0, 1, config.num_timesteps + 1, dtype=torch.float64)
    match config.schedule:
        case "cosine":
            survival = torch.cos(math.pi / 2 * (time + COSINE_OFFSET) / (1 + COSINE_OFFSET)) ** 2
            survival = survival / survival[0]
        case "linear":
            survival = 1 - time
    return survival.clamp(min=FLOOR)
