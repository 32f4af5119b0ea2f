"""Steering the reverse process towards property values y, by a regressor that reads noisy graphs.

By Bayes' rule the guided step is p(z_s | z_t, y) ∝ p(z_s | z_t) p(y | z_s)^λ, where λ = 1 is exact and more is sharper.
The first factor is any sampler's. For the second there are two estimators:

    gradient    to first order about z_t, with the squared error in place of -log p: every node and pair is tilted alone,
                    p(z_s | z_t) → p(z_s | z_t) exp(-λ ∂/∂z Σ_k ((g_k(z_t) - y_k)/σ_k)²)
                which is DiGress's rule, except that the sum is over the targets of one graph and never a mean over a
                batch, so that λ means the same whatever else is in the batch
    proposals   m graphs are drawn from p(z_s | z_t) and one of them kept, with probability ∝ p(y | z_s)^λ: nothing is
                linearised, and every graph on the way is one that the sampler itself could have drawn

Guidance acts in a window of times. Before it the clean graph cannot be predicted; after it the denoiser needs the last
steps to itself, to repair what guidance has spoilt.

References:
    Vignac et al. 2023, DiGress, arXiv:2209.14734, section 5 and Algorithm 3 (gradient)
    Li et al. 2024, Derivative-free guidance in continuous and discrete diffusion models, arXiv:2408.08252 (proposals)

Axes: b graphs, n nodes, k or l categories, p targets, m proposals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.card.config import GuidanceConfig
from models.compute.arithmetic import softmax
from models.diffusion.context import NO_CONTEXT, Context
from models.diffusion.corruption import draw_graphs
from models.diffusion.randomness import CHOICE_STREAM, PROPOSAL_STREAM, draw, offspring_seeds, uniforms
from models.diffusion.sampler import DenoisingModel, Draw, ReverseStep, Step
from models.diffusion.targets import Targets
from models.graphs import GraphBatch, GraphDistribution


@dataclass(frozen=True)
class Guidance:
    """How hard, when and by which estimator a sampler is steered; each graph has its own targets and scale."""

    targets: Sequence[Targets]
    scale: Float[Tensor, " b"]
    config: GuidanceConfig
    num_timesteps: int

    @staticmethod
    def concatenate(parts: Sequence["Guidance"]) -> "Guidance":
        """The guidance of all graphs, in order; the parts differ in values and scales only."""
        values = (
            torch.cat([targets.values for targets in same]) for same in zip(*(p.targets for p in parts), strict=True)
        )
        targets = [replace(first, values=joined) for first, joined in zip(parts[0].targets, values, strict=True)]
        return replace(parts[0], targets=targets, scale=torch.cat([part.scale for part in parts]))

    def reverse(self, reverse: ReverseStep) -> ReverseStep:
        """A sampler's step, tilted if the estimator is "gradient"."""
        return _Tilted(reverse, self) if self.config.estimator == "gradient" else reverse

    @property
    def draw(self) -> Draw:
        """How graphs are drawn from that step: chosen from proposals if the estimator is "proposals"."""
        return _Chosen(self) if self.config.estimator == "proposals" else draw_graphs

    def step(self, reverse: ReverseStep) -> Step:
        """A step of a sampler, steered."""
        return Step(self.reverse(reverse), self.draw)

    def is_active(self, t: Int[Tensor, " b"]) -> Bool[Tensor, " b"]:
        """Whether guidance acts on a graph at time t: within the window, and with a scale that is not zero."""
        share = t / self.num_timesteps
        return (share <= self.config.start) & (share >= self.config.stop) & (self.scale > 0)


@dataclass(frozen=True)
class _Tilted:
    reverse: ReverseStep
    guidance: Guidance

    def __call__(
        self,
        denoiser: DenoisingModel,
        z_t: GraphBatch,
        *,
        s: Int[Tensor, " b"],
        t: Int[Tensor, " b"],
        context: Context = NO_CONTEXT,
    ) -> GraphDistribution:
        probs = self.reverse(denoiser, z_t, s=s, t=t, context=context)
        guided = self.guidance.is_active(t).nonzero()[:, 0]
        if len(guided) == 0:
            return probs
        scale, tilted = self.guidance.scale[guided], probs[guided]
        for targets in self.guidance.targets:
            by_nodes, by_edges = targets[guided].error_gradient(z_t[guided], t[guided])
            tilted = GraphDistribution(_tilt(tilted.nodes, by_nodes, scale), _tilt(tilted.edges, by_edges, scale))
        return probs.with_graphs(guided, tilted)


@dataclass(frozen=True)
class _Chosen:
    guidance: Guidance

    def __call__(
        self,
        probs: GraphDistribution,
        seeds: Int[Tensor, " b"],
        *,
        num_nodes: Int[Tensor, " b"],
        step: Int[Tensor, " b"],
    ) -> GraphBatch:
        drawn = draw_graphs(probs, seeds, num_nodes=num_nodes, step=step)
        guided = self.guidance.is_active(step).nonzero()[:, 0]
        if len(guided) == 0:
            return drawn
        chosen = self._choose(probs[guided], seeds[guided], num_nodes=num_nodes[guided], step=step[guided], rows=guided)
        return GraphBatch(
            drawn.nodes.index_copy(0, guided, chosen.nodes), drawn.edges.index_copy(0, guided, chosen.edges), num_nodes
        )

    def _choose(
        self, probs: GraphDistribution, seeds: Tensor, *, num_nodes: Tensor, step: Tensor, rows: Tensor
    ) -> GraphBatch:
        """One of m proposals for each graph; `rows` are the graphs' places in the batch."""
        batch, count = len(seeds), self.guidance.config.num_proposals
        parent = torch.arange(batch, device=seeds.device).repeat_interleave(count)
        times = step[parent]
        own_seeds = offspring_seeds(seeds, count, stream=PROPOSAL_STREAM).flatten()
        proposals = draw_graphs(probs[parent], own_seeds, num_nodes=num_nodes[parent], step=times)
        # Near the clean graph most proposals are alike, and the regressors need to read each only once.
        distinct, read_as = _distinct(proposals, count)
        log_density = torch.zeros(len(distinct), device=seeds.device)
        for targets in self.guidance.targets:
            log_density = log_density + targets[rows[parent[distinct]]].log_density(
                proposals[distinct], times[distinct]
            )
        log_weights = self.guidance.scale[rows, None] * log_density[read_as].view(batch, count)
        uniform = uniforms(seeds, step=step, stream=CHOICE_STREAM, positions=torch.zeros_like(step[:1]))[:, 0]
        winner = draw(log_weights.softmax(1), uniform)
        return proposals[torch.arange(batch, device=seeds.device) * count + winner]


def _distinct(graphs: GraphBatch, count: int) -> tuple[Int[Tensor, " d"], Int[Tensor, " b"]]:
    """Of every `count` graphs in a row, the places of those that are the first of their kind; and for every graph, which of these it is like."""
    nodes, edges = (x.reshape(-1, count, x[0].numel()) for x in (graphs.nodes, graphs.edges))
    alike = (nodes[:, :, None] == nodes[:, None]).all(-1) & (edges[:, :, None] == edges[:, None]).all(-1)
    first = alike.int().argmax(-1)
    is_first = (first == torch.arange(count, device=first.device)).flatten()
    start = torch.arange(0, len(is_first), count, device=first.device)
    return is_first.nonzero()[:, 0], (is_first.cumsum(0) - 1)[(start[:, None] + first).flatten()]


def _tilt(
    probs: Float[Tensor, "b ... k"], gradient: Float[Tensor, "b ... k"], scale: Float[Tensor, " b"]
) -> Float[Tensor, "b ... k"]:
    """The distribution times exp(-scale · gradient), normalised."""
    tilted = softmax(probs.log() - scale.view(-1, *[1] * (probs.ndim - 1)) * gradient)
    # Where the gradient overflows, the sampler's own distribution stays.
    return torch.where(tilted.isfinite().all(-1, keepdim=True), tilted, probs)
