"""How likely a model finds a graph: a bound on -log p(x), in nats, with its terms.

    -log p(x) <= -log p(n)                                                          size
               + KL( q(z_T | x) ‖ p(z_T) )                                          prior
               + Σ_{t = 2 … T} E_{q(z_t | x)} KL( q(z_{t-1} | z_t, x) ‖ p(z_{t-1} | z_t) )     diffusion
               - E_{q(z_1 | x)} log p(x | z_1)                                      reconstruction

for the sampler `ancestral` with all T steps. Nodes and pairs are drawn independently given z_t, so every term but the first
is a sum over nodes and one over unordered pairs. The sum over t is estimated from a few times per graph, one from
each of as many equal parts of 2 … T.

This is the likelihood of the graph with its nodes in the given order. Over all orders together, log p is larger by at most log n!.

References:
    Vignac et al. 2023, DiGress, arXiv:2209.14734, appendix (the bound and its terms)
    Austin et al. 2021, D3PM, arXiv:2107.03006, equation 1
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.diffusion.context import NO_CONTEXT, Context
from models.diffusion.corruption import corrupt
from models.diffusion.randomness import TIME_STREAM, uniforms
from models.diffusion.sampler import DenoisingModel, ancestral
from models.graphs import GraphBatch, GraphDistribution

_SMALLEST_PROBABILITY = 1e-30


@dataclass(frozen=True)
class LikelihoodBound:
    """The terms for each graph but that of its size, in nats."""

    prior_nodes: Float[Tensor, " b"]
    prior_edges: Float[Tensor, " b"]
    diffusion_nodes: Float[Tensor, " b"]
    diffusion_edges: Float[Tensor, " b"]
    reconstruction_nodes: Float[Tensor, " b"]
    reconstruction_edges: Float[Tensor, " b"]

    @property
    def total(self) -> Float[Tensor, " b"]:
        """The bound on -log p(x | n)."""
        return torch.stack([getattr(self, field.name) for field in fields(self)]).sum(0)


@torch.no_grad()
def likelihood_bound(
    denoiser: DenoisingModel,
    clean: GraphBatch,
    seeds: Int[Tensor, " b"],
    *,
    num_times: int,
    context: Context = NO_CONTEXT,
) -> LikelihoodBound:
    """The terms, given the context; the sum over time from `num_times` times per graph. A function of the seeds.

    DiGress: `kl_prior`, `compute_Lt` and `reconstruction_logp`.
    """
    last = torch.full_like(seeds, denoiser.num_timesteps)
    noise = denoiser.noise
    truth = noise.one_hot(clean)
    prior = _divergence(noise.corrupt(clean, last), noise.prior(len(clean), clean.max_nodes), clean)

    def step(t: Int[Tensor, " b"]) -> tuple[Tensor, Tensor]:
        """One draw of KL( q(z_{t-1} | z_t, x) ‖ p(z_{t-1} | z_t) ), at t = 1 of -log p(x | z_1)."""
        z_t = corrupt(clean, t, seeds, noise=noise)
        past = noise.posterior(truth, z_t, s=t - 1, t=t)
        return _divergence(past, ancestral(denoiser, z_t, s=t - 1, t=t, context=context), clean)

    reconstruction = step(torch.ones_like(seeds))
    terms = denoiser.num_timesteps - 1
    if not terms:
        zero = torch.zeros_like(prior[0])
        return LikelihoodBound(*prior, zero, zero, *reconstruction)
    parts = torch.arange(num_times, device=seeds.device)
    shares = (parts + uniforms(seeds, step=torch.zeros_like(seeds), stream=TIME_STREAM, positions=parts)) / num_times
    times = 2 + (shares * terms).long().clamp(max=terms - 1)
    steps = [step(t) for t in times.unbind(1)]
    nodes, edges = (terms * torch.stack(side).mean(0) for side in zip(*steps, strict=True))
    return LikelihoodBound(*prior, nodes, edges, *reconstruction)


def _divergence(one: GraphDistribution, other: GraphDistribution, graphs: GraphBatch) -> tuple[Tensor, Tensor]:
    """KL(one ‖ other) of each graph, summed over its nodes, and over its unordered pairs."""

    def each(p: Tensor, q: Tensor) -> Tensor:
        p, q = p.double(), q.double()
        return torch.xlogy(p, p / q.clamp(min=_SMALLEST_PROBABILITY)).sum(-1)

    nodes = (each(one.nodes, other.nodes) * graphs.node_mask).sum(1)
    pairs = (each(one.edges, other.edges) * graphs.edge_mask).triu(diagonal=1).sum((1, 2))
    return nodes.float(), pairs.float()
