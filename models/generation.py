"""From a request's terms to graphs: sizes and seeds per graph, batches of similar size, progress.

Graph i of a request with seed S has its own seed, and its size is drawn from that seed; so the first ten graphs of
a request for a hundred are those of a request for ten, whatever the batches.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.card import Grid, ModelCard, Sampler
from models.conditional import Goal, PredictedProperties, Steering
from models.diffusion.corruption import draw_graphs
from models.diffusion.randomness import CANDIDATE_STREAM, SIZE_STREAM, draw, graph_seeds, offspring_seeds, uniforms
from models.diffusion.sampler import SAMPLERS, sample, time_grid
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.networks.regressor import Regressor
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
    goal: Goal | None = None

    @property
    def candidates(self) -> int:
        """Graphs drawn for each one that is kept."""
        return self.goal.candidates if self.goal else 1


@dataclass(frozen=True)
class Progress:
    """How far a generation is."""

    fraction: float
    graphs_done: int


@dataclass(frozen=True)
class GeneratedBatch:
    """Graphs of one batch, their places in the request, their seeds, and their properties if the plan has a goal."""

    indices: Int[Tensor, " b"]
    seeds: Int[Tensor, " b"]
    graphs: GraphBatch
    properties: PredictedProperties | None = None


def size_weights(card: ModelCard, plan: GenerationPlan) -> dict[int, float]:
    """How often a plan has graphs of each size: as in training, restricted to the plan's range."""
    sizes = range(plan.min_nodes, plan.max_nodes + 1)
    weights = {size: card.size_distribution.get(size, 0.0) for size in sizes}
    seen = {size: weight for size, weight in weights.items() if weight > 0}
    return seen or dict.fromkeys(sizes, 1.0)


def draw_sizes(
    weights: Mapping[int, float], seeds: Int[Tensor, " b"], factors: Float[Tensor, "b sizes"] | None = None
) -> Int[Tensor, " b"]:
    """num_nodes per graph, one size in proportion to its weight, times each graph's own factor if there are any."""
    nowhere = torch.zeros(1, dtype=torch.long, device=seeds.device)
    uniform = uniforms(seeds, step=torch.zeros_like(seeds), stream=SIZE_STREAM, positions=nowhere)[:, 0]
    sizes, shares = (torch.tensor(column, device=seeds.device) for column in (list(weights), list(weights.values())))
    shares = shares.expand(len(seeds), -1) if factors is None else shares * factors
    return sizes[draw(shares, uniform)]


def padded_size(num_nodes: int, card: ModelCard) -> int:
    """The width a graph is computed in: a function of its own size, so that batch mates do not matter even in rounding."""
    return min(-(-num_nodes // _SIZE_STEP) * _SIZE_STEP, max(card.max_nodes, num_nodes))


def generate(
    card: ModelCard,
    denoiser: Denoiser,
    plan: GenerationPlan,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    regressors: Sequence[Regressor] = (),
) -> Iterator[GeneratedBatch]:
    """All graphs of a plan, batch by batch; `on_progress` is called after every step and may raise to stop.

    A plan with a goal needs the model's `regressors`, all its guides in the card's order.
    """
    device = denoiser.node_noise.prior.device
    steering = Steering(card, regressors, plan.goal, num_graphs=plan.num_graphs) if plan.goal else None
    seeds = graph_seeds(plan.seed, torch.arange(plan.num_graphs, device=device))
    sizes = _sizes(card, denoiser, plan, seeds, steering)
    grid = time_grid(plan.grid, plan.num_steps, denoiser.num_timesteps)

    graphs_done = 0
    for width, indices in _batches(sizes.tolist(), card, candidates=plan.candidates):
        chosen = torch.tensor(indices, device=device)
        tracker = _Tracker(on_progress, plan, graphs_done=graphs_done, batch_size=len(indices))
        members = chosen.repeat_interleave(plan.candidates)
        guidance = steering.guidance(members, grid) if steering else None
        reverse = SAMPLERS[plan.sampler]
        with autocast(device), torch.no_grad():
            graphs = sample(
                denoiser,
                sizes[members],
                offspring_seeds(seeds[chosen], plan.candidates, stream=CANDIDATE_STREAM).flatten(),
                reverse=guidance.reverse(reverse) if guidance else reverse,
                draw=guidance.draw if guidance else draw_graphs,
                grid=grid,
                max_nodes=width,
                on_step=tracker,
            )
            if steering:
                graphs = graphs[steering.nearest(graphs, members)]
            properties = steering.tell(graphs) if steering else None
        graphs_done += len(indices)
        yield GeneratedBatch(chosen, seeds[chosen], graphs, properties)


def _sizes(
    card: ModelCard, denoiser: Denoiser, plan: GenerationPlan, seeds: Tensor, steering: Steering | None
) -> Int[Tensor, " b"]:
    weights = size_weights(card, plan)
    if steering is None:
        return draw_sizes(weights, seeds)
    with autocast(seeds.device), torch.no_grad():
        return draw_sizes(weights, seeds, steering.size_likelihood(denoiser, list(weights)))


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


def _batches(sizes: list[int], card: ModelCard, *, candidates: int) -> Iterator[tuple[int, list[int]]]:
    """Indices grouped by padded size, each group cut to the batch budget; the candidates of a graph stay together."""
    groups: dict[int, list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(padded_size(size, card), []).append(index)
    for width, indices in sorted(groups.items()):
        step = max(1, BATCH_COST // (candidates * width**2))
        yield from ((width, indices[start : start + step]) for start in range(0, len(indices), step))
