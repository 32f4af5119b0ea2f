"""From a request's terms to graphs: sizes and seeds per graph, batches of similar size, progress.

Graph i of a request with seed S has its own seed, and its size is drawn from that seed; so the first ten graphs of
a request for a hundred are those of a request for ten, whatever the batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from models.card import Grid, ModelCard, Sampler
from models.diffusion.randomness import SIZE_STREAM, draw, graph_seeds, uniforms
from models.diffusion.sampler import SAMPLERS, sample, time_grid
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.precision import autocast

# Σ n² of the graphs in one batch. QM9's network on one core makes 1,300 graph-steps a second in batches of 32 graphs,
# 2,500 in batches of 256, 2,700 in batches of 512 and no more beyond; this is 404 of its largest.
BATCH_COST = 32_768
_SIZE_STEP = 8


@dataclass(frozen=True)
class GenerationPlan:
    """What to draw, with every default filled in."""

    num_graphs: int
    min_nodes: int
    max_nodes: int
    seed: int
    sampler: Sampler
    grid: Grid
    num_steps: int


@dataclass(frozen=True)
class Progress:
    """How far a generation is."""

    fraction: float
    graphs_done: int


@dataclass(frozen=True)
class GeneratedBatch:
    """Graphs of one batch, their places in the request, and their seeds."""

    indices: Int[Tensor, " b"]
    seeds: Int[Tensor, " b"]
    graphs: GraphBatch


def draw_sizes(card: ModelCard, plan: GenerationPlan, seeds: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """num_nodes per graph: the training distribution, restricted to the plan's range."""
    sizes = list(range(plan.min_nodes, plan.max_nodes + 1))
    weights = torch.tensor([card.size_distribution.get(size, 0.0) for size in sizes])
    if weights.sum() == 0:
        weights = torch.ones(len(sizes))
    nowhere = torch.zeros(1, dtype=torch.long, device=seeds.device)
    uniform = uniforms(seeds, step=torch.zeros_like(seeds), stream=SIZE_STREAM, positions=nowhere)[:, 0]
    return torch.tensor(sizes, device=seeds.device)[draw(weights.to(seeds.device).expand(len(seeds), -1), uniform)]


def padded_size(num_nodes: int, card: ModelCard) -> int:
    """The width a graph is computed in: a function of its own size, so that batch mates do not matter even in rounding."""
    return min(-(-num_nodes // _SIZE_STEP) * _SIZE_STEP, max(card.max_nodes, num_nodes))


def generate(
    card: ModelCard,
    denoiser: Denoiser,
    plan: GenerationPlan,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Iterator[GeneratedBatch]:
    """All graphs of a plan, batch by batch; `on_progress` is called after every step and may raise to stop."""
    device = denoiser.node_noise.prior.device
    seeds = graph_seeds(plan.seed, torch.arange(plan.num_graphs, device=device))
    sizes = draw_sizes(card, plan, seeds)
    grid = time_grid(plan.grid, plan.num_steps, denoiser.num_timesteps)

    graphs_done = 0
    for width, indices in _batches(sizes.tolist(), card):
        chosen = torch.tensor(indices, device=device)
        tracker = _Tracker(on_progress, plan, graphs_done=graphs_done, batch_size=len(indices))
        with autocast(device):
            graphs = sample(
                denoiser,
                sizes[chosen],
                seeds[chosen],
                reverse=SAMPLERS[plan.sampler],
                grid=grid,
                max_nodes=width,
                on_step=tracker,
            )
        graphs_done += len(indices)
        yield GeneratedBatch(chosen, seeds[chosen], graphs)


class _Tracker:
    """Turns the steps of one batch into progress of the whole."""

    def __init__(
        self, on_progress: Callable[[Progress], None], plan: GenerationPlan, *, graphs_done: int, batch_size: int
    ) -> None:
        self._on_progress, self._plan = on_progress, plan
        self._graphs_done, self._batch_size, self._steps = graphs_done, batch_size, 0

    def __call__(self, noisy: GraphBatch) -> None:
        self._steps += 1
        done = self._graphs_done + self._batch_size * self._steps / self._plan.num_steps
        self._on_progress(Progress(done / self._plan.num_graphs, self._graphs_done))


def _batches(sizes: list[int], card: ModelCard) -> Iterator[tuple[int, list[int]]]:
    """Indices grouped by padded size, each group cut to the batch budget."""
    groups: dict[int, list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(padded_size(size, card), []).append(index)
    for width, indices in sorted(groups.items()):
        step = max(1, BATCH_COST // width**2)
        yield from ((width, indices[start : start + step]) for start in range(0, len(indices), step))
