"""The forward process: how a category forgets what it was, and what the past looks like from later on.

A category survives from s to t with probability r and is otherwise redrawn from the prior m:

    Q_{t|s} = r I + (1 - r) 1 mᵀ    with    r = ᾱ_t / ᾱ_s

Corrupting is one draw from q(z_t | x) = x Q_{t|0}. Going back from t to any earlier s, when the clean
category is only known as a distribution p̂(x | z_t):

    p(z_s | z_t) = Σ_x p̂(x | z_t) q(z_s | z_t, x)
                 ∝ Q_{t|s}[z_s, z_t] · (ᾱ_s w(z_s) + (1 - ᾱ_s) m(z_s) Σ_x w(x)),   w(x) = p̂(x) / q(z_t | x)

The second line follows because q(z_s | x) = ᾱ_s [z_s = x] + (1 - ᾱ_s) m(z_s); it needs no matrix per position.

The prior decides the kind of noise: uniform, marginal (the data's own frequencies, DiGress), or absorbing (all
mass on one category, usually an extra one that no clean graph contains).

References:
    Austin et al. 2021, D3PM, arXiv:2107.03006, section 3
    Vignac et al. 2023, DiGress, arXiv:2209.14734, sections 4.1 and 4.3

Axes: b graphs, … = (n,) for nodes or (n, n) for edges, k categories.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class CategoricalNoise(nn.Module):
    """Noise towards `prior`, at the pace of `alpha_bar` (1 at t = 0, about 0 at t = T).

    DiGress: `MarginalUniformTransition` and `DiscreteUniformTransition`, by the prior.
    """

    alpha_bar: Tensor
    prior: Tensor

    def __init__(self, alpha_bar: Float[Tensor, " times"], prior: Float[Tensor, " k"]) -> None:
        super().__init__()
        total = float(prior.sum())
        if prior.min() < 0 or abs(total - 1) > 1e-4:
            raise ValueError(f"a prior must be non-negative and sum to 1, but {prior.tolist()} sums to {total}")
        self.register_buffer("alpha_bar", alpha_bar.double(), persistent=False)
        self.register_buffer("prior", prior.double() / prior.double().sum(), persistent=False)

    @property
    def num_timesteps(self) -> int:
        """T, the last timestep."""
        return len(self.alpha_bar) - 1

    def survival(self, s: Int[Tensor, " b"], t: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The probability r = ᾱ_t / ᾱ_s of surviving from s to t, for 0 <= s <= t <= T."""
        return (self.alpha_bar[t] / self.alpha_bar[s]).float()

    def transition(self, s: Int[Tensor, " b"], t: Int[Tensor, " b"]) -> Float[Tensor, "b k k"]:
        """Q_{t|s}, rows summing to one, for 0 <= s <= t <= T. A sampling step needs one per graph, never one per position.

        DiGress: `get_Qt` with s = t - 1, `get_Qt_bar` with s = 0.
        """
        keep = (self.alpha_bar[t] / self.alpha_bar[s])[:, None, None]
        return keep * torch.eye(len(self.prior), device=keep.device) + (1 - keep) * self.prior

    def corrupt(self, x: Int[Tensor, "b ..."], t: Int[Tensor, " b"]) -> Float[Tensor, "b ... k"]:
        """q(z_t | x): the distribution that a noisy category is drawn from."""
        return self.corrupt_probs(torch.nn.functional.one_hot(x, len(self.prior)).float(), t)

    def corrupt_probs(self, x_probs: Float[Tensor, "b ... k"], t: Int[Tensor, " b"]) -> Float[Tensor, "b ... k"]:
        """Σ_x p(x) q(z_t | x): the same where the clean category is only known as a distribution."""
        keep = _spread(self.alpha_bar[t].float(), x_probs.ndim)
        return keep * x_probs + (1 - keep) * self.prior.float()

    def posterior(
        self,
        x_probs: Float[Tensor, "b ... k"],
        z_t: Int[Tensor, "b ..."],
        *,
        s: Int[Tensor, " b"],
        t: Int[Tensor, " b"],
    ) -> Float[Tensor, "b ... k"]:
        """p(z_s | z_t) when the clean category follows `x_probs`, for 0 <= s < t <= T.

        DiGress: `compute_batched_over0_posterior_distribution` and the sum over its axis of clean categories.
        """
        prior = self.prior.float()
        now = z_t[..., None]
        prior_now = prior[now]
        alpha_t, alpha_s = (_spread(self.alpha_bar[time].float(), z_t.ndim + 1) for time in (t, s))
        keep = _spread(self.survival(s, t), z_t.ndim + 1)

        tiny = torch.finfo(torch.float32).tiny
        # q(z_t | x) is (1 - ᾱ_t) m(z_t) for all x but z_t itself; clean categories that cannot lead to z_t get no weight.
        elsewhere = (1 - alpha_t) * prior_now
        weights = torch.where(elsewhere > 0, x_probs / elsewhere.clamp(min=tiny), 0.0)
        weights.scatter_(-1, now, x_probs.gather(-1, now).clamp(min=tiny) / (alpha_t + elsewhere))

        past = alpha_s * weights + (1 - alpha_s) * prior * weights.sum(-1, keepdim=True)
        # Q_{t|s}[z_s, z_t] is (1 - r) m(z_t) for all z_s but z_t itself.
        unnormalised = past * (1 - keep) * prior_now
        unnormalised.scatter_(-1, now, past.gather(-1, now) * (keep + (1 - keep) * prior_now))
        return unnormalised / unnormalised.sum(-1, keepdim=True)


def _spread(per_graph: Tensor, ndim: int) -> Tensor:
    """A value per graph, shaped to broadcast over `ndim` axes."""
    return per_graph.view(-1, *[1] * (ndim - 1))
