"""The reverse process: from noise to a graph, on any grid of times.

    T = t_K > … > t_1 > t_0 = 0,     z_{t_K} ~ prior,     z_{t_{k-1}} ~ p(· | z_{t_k})

Grids, as shares u = k/K of the way to T:

    uniform   t = T u
    polydec   t = T u²: more and smaller steps near the clean graph

Samplers, which all need one prediction p̂(x | z_t) of the network for a step:

    ancestral   Σ_x p̂(x | z_t) q(z_s | z_t, x), the posterior of `models.diffusion.noise`
    renoise     Σ_x p̂(x | z_t) q(z_s | x): draws a clean graph and adds noise again. This forgets z_t and the mistakes
                in it: more graphs are valid, but they resemble the data less
    mixed       η · renoise + (1 - η) · ancestral, at every node and pair

`ancestral` on the uniform grid with K = T is DiGress's sampler. (With a `min_timestep` above 1 the network is
called differently: `models.networks.denoiser`.)

References:
    Vignac et al. 2023, DiGress, arXiv:2209.14734, algorithm 2
    Qin et al. 2024, DeFoG, arXiv:2410.04263 (time distortions, polydec)
    Boget 2025, Simple and critical iterative denoising, arXiv:2503.21592 (renoise)
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from models.card.config import Grid, Sampler
from models.diffusion.context import NO_CONTEXT, Context
from models.diffusion.corruption import draw_graphs
from models.diffusion.graph_noise import GraphNoise
from models.graphs import GraphBatch, GraphDistribution, GraphLogits


@runtime_checkable
class DenoisingModel(Protocol):
    """What a sampler needs of a network: p̂(x | z_t), and the noise that it undoes."""

    noise: GraphNoise

    reads_given: bool
    """Whether it was trained with given entries that are clean at every t (`models.diffusion.context`)."""

    @property
    def num_timesteps(self) -> int:
        """T, the last timestep."""

    def __call__(self, graph: GraphBatch, t: Int[Tensor, " b"], *, context: Context = NO_CONTEXT) -> GraphLogits:
        """Logits of the clean graph, given the noisy one, a timestep per graph, and what else is known."""


@runtime_checkable
class ReverseStep(Protocol):
    """A sampler: the distribution of the graph at s, given the one at t."""

    def __call__(
        self,
        denoiser: DenoisingModel,
        z_t: GraphBatch,
        *,
        s: Int[Tensor, " b"],
        t: Int[Tensor, " b"],
        context: Context = NO_CONTEXT,
    ) -> GraphDistribution:
        """p(z_s | z_t); each graph has its own s < t."""


@runtime_checkable
class Draw(Protocol):
    """How a graph is drawn from its distribution at time `step`."""

    def __call__(
        self,
        probs: GraphDistribution,
        seeds: Int[Tensor, " b"],
        *,
        num_nodes: Int[Tensor, " b"],
        step: Int[Tensor, " b"],
    ) -> GraphBatch:
        """One graph from each distribution."""


def time_grid(kind: Grid, num_steps: int, num_timesteps: int) -> list[int]:
    """t_K … t_0: `num_steps` + 1 integers falling strictly from `num_timesteps` to 0.

    Raises:
        ValueError: if there are more steps than timesteps, or none.
    """
    if not 1 <= num_steps <= num_timesteps:
        raise ValueError(f"num_steps must be between 1 and {num_timesteps}, not {num_steps}")
    match kind:
        case "uniform":
            shares = [k / num_steps for k in range(num_steps + 1)]
        case "polydec":
            shares = [(k / num_steps) ** 2 for k in range(num_steps + 1)]
    # Where the grid is finer than the integers, take every integer.
    times = [max(round(num_timesteps * share), k) for k, share in enumerate(shares)]
    return times[::-1]


def draw_prior(
    denoiser: DenoisingModel,
    num_nodes: Int[Tensor, " b"],
    seeds: Int[Tensor, " b"],
    *,
    max_nodes: int,
    context: Context = NO_CONTEXT,
) -> GraphBatch:
    """z_T: graphs of pure noise but for what is given, padded to `max_nodes`."""
    prior = denoiser.noise.prior(len(num_nodes), max_nodes)
    noise = draw_graphs(prior, seeds, num_nodes=num_nodes, step=torch.full_like(seeds, denoiser.num_timesteps))
    return context.given.put_into(noise) if context.given and denoiser.reads_given else noise


def ancestral(
    denoiser: DenoisingModel,
    z_t: GraphBatch,
    *,
    s: Int[Tensor, " b"],
    t: Int[Tensor, " b"],
    context: Context = NO_CONTEXT,
) -> GraphDistribution:
    """p(z_s | z_t) with the network's prediction of the clean graph; each graph has its own s < t."""
    return denoiser.noise.posterior(_clean(denoiser, z_t, t, context), z_t, s=s, t=t)


def renoise(
    denoiser: DenoisingModel,
    z_t: GraphBatch,
    *,
    s: Int[Tensor, " b"],
    t: Int[Tensor, " b"],
    context: Context = NO_CONTEXT,
) -> GraphDistribution:
    """Σ_x p̂(x | z_t) q(z_s | x); each graph has its own s < t."""
    return denoiser.noise.corrupt_probs(_clean(denoiser, z_t, t, context), s)


@dataclass(frozen=True)
class Mixed:
    """Between `ancestral` (η = 0) and `renoise` (η = 1)."""

    eta: float

    def __call__(
        self,
        denoiser: DenoisingModel,
        z_t: GraphBatch,
        *,
        s: Int[Tensor, " b"],
        t: Int[Tensor, " b"],
        context: Context = NO_CONTEXT,
    ) -> GraphDistribution:
        clean = _clean(denoiser, z_t, t, context)
        kept, redrawn = denoiser.noise.posterior(clean, z_t, s=s, t=t), denoiser.noise.corrupt_probs(clean, s)
        return kept.mixed_with(redrawn, self.eta)


def reverse_step(sampler: Sampler, *, eta: float) -> ReverseStep:
    """The sampler of a name; `eta` is for "mixed"."""
    match sampler:
        case "ancestral":
            return ancestral
        case "renoise":
            return renoise
        case "mixed":
            return Mixed(eta)


@dataclass(frozen=True)
class Step:
    """One step of the reverse process: the distribution of the graph at s, and one draw from it.

    Since the network is equivariant and random numbers belong to nodes and pairs, samples are exchangeable (DiGress, Lemma 3.3).
    DiGress: `sample_p_zs_given_zt`, the body of the loop of Algorithm 2.
    """

    reverse: ReverseStep = ancestral
    draw: Draw = draw_graphs

    def __call__(
        self,
        denoiser: DenoisingModel,
        z_t: GraphBatch,
        seeds: Int[Tensor, " b"],
        *,
        s: Int[Tensor, " b"],
        t: Int[Tensor, " b"],
        context: Context = NO_CONTEXT,
    ) -> GraphBatch:
        """z_s; each graph has its own seed and its own s < t.

        A graph depends on its seed, its size, the times and the width of the batch alone, not on its batch mates.
        """
        probs = self.reverse(denoiser, z_t, s=s, t=t, context=context)
        if context.given and denoiser.reads_given:
            probs = context.given.made_certain(probs)
        return self.draw(probs, seeds, num_nodes=z_t.num_nodes, step=s)


def _clean(denoiser: DenoisingModel, z_t: GraphBatch, t: Int[Tensor, " b"], context: Context) -> GraphDistribution:
    """p̂(x | z_t), over the states of the noise; certain where it is given."""
    clean = denoiser.noise.over_states(denoiser(z_t, t, context=context).softmax())
    return context.given.made_certain(clean) if context.given else clean
