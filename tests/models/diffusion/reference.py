"""References: the reverse step as the paper writes it, with a (k × k) table for every node and pair and draws that are made symmetric;
and the shortest loop of steps, on any network.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.diffusion.noise import CategoricalNoise
from models.diffusion.sampler import DenoisingModel, Step, draw_prior
from models.graphs import GraphBatch


def table_posterior(
    noise: CategoricalNoise,
    x_probs: Float[Tensor, "b ... k"],
    z_t: Int[Tensor, "b ..."],
    *,
    s: Int[Tensor, " b"],
    t: Int[Tensor, " b"],
) -> Float[Tensor, "b ... k"]:
    """Σ_x p̂(x) q(z_s | x) q(z_t | z_s) / Σ_z q(z | x) q(z_t | z), for noise under which any x can lead to any z_t."""
    batch, shape = len(s), z_t.shape
    to_s = noise.transition(torch.zeros_like(s), s).float()[:, None]  # (b, 1, x, z_s)
    onwards = noise.transition(s, t).float().mT  # (b, z_t, z_s)
    now = onwards[torch.arange(batch, device=s.device)[:, None], z_t.flatten(1)]  # (b, m, z_s)
    joint = to_s * now[:, :, None]
    predicted = joint / joint.sum(-1, keepdim=True)
    return (x_probs.reshape(batch, -1, x_probs.shape[-1], 1) * predicted).sum(2).view(*shape, -1)


@torch.no_grad()
def table_step(denoiser: DenoisingModel, z_t: GraphBatch, *, s: Int[Tensor, " b"], t: Int[Tensor, " b"]) -> GraphBatch:
    """One graph from p(z_s | z_t), by torch's own random numbers."""
    clean = denoiser(z_t, t).softmax()
    nodes = table_posterior(denoiser.noise.nodes, clean.nodes, z_t.nodes, s=s, t=t)
    edges = table_posterior(denoiser.noise.edges, clean.edges, z_t.edges, s=s, t=t)
    drawn = [torch.multinomial(probs.flatten(0, -2), 1).view(probs.shape[:-1]) for probs in (nodes, edges)]
    upper = drawn[1].triu(1)
    return GraphBatch(drawn[0] * z_t.node_mask, (upper + upper.mT) * z_t.edge_mask, z_t.num_nodes)


@torch.no_grad()
def sample(
    denoiser: DenoisingModel,
    num_nodes: Int[Tensor, " b"],
    seeds: Int[Tensor, " b"],
    *,
    grid: Sequence[int],
    max_nodes: int,
    step: Step = Step(),  # noqa: B008  # frozen
    on_step: Callable[[GraphBatch], None] = lambda z: None,
) -> GraphBatch:
    """Clean graphs of the given sizes, one per seed, by the steps that `models.generation.advance` takes; `on_step` sees each."""
    z = draw_prior(denoiser, num_nodes, seeds, max_nodes=max_nodes)
    for t, s in pairwise(grid):
        z = step(denoiser, z, seeds, s=torch.full_like(num_nodes, s), t=torch.full_like(num_nodes, t))
        on_step(z)
    return z
