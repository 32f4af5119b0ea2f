"""From a plan to graphs: seeds and sizes per graph, and cohorts of graphs that advance together.

Graph i of a request with seed S has its own seed, and its size is drawn from that seed. So the first ten graphs of a request for a
hundred are those of a request for ten, whatever the batches. Graphs that replace refused ones have the numbers that follow.

A plan may want the best of several candidates for every graph (`models.candidates`). What is drawn is a candidate: number
i · candidates + c is candidate c of graph i.

A cohort is a few candidates of one plan and one width that have had equally many steps. `advance` takes any number of cohorts one step
further in one call of the network, whatever plans they belong to and whatever step each is at, as long as they share a
`group`. `generate` is the simplest driver; the worker's engine is another.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.candidates import BestCandidates, FinishedCandidates
from models.card.cost import graph_cost, padded_size, size_weights
from models.checkpoint import LoadedModel
from models.compute.lanes import Lanes
from models.compute.precision import autocast
from models.conditional import PredictedProperties, Steering
from models.diffusion.context import NO_CONTEXT, Context, Given
from models.diffusion.corruption import corrupt
from models.diffusion.guidance import Guidance
from models.diffusion.randomness import (
    CANDIDATE_STREAM,
    SIZE_STREAM,
    draw,
    graph_seeds,
    offspring_seeds,
    uniforms,
)
from models.diffusion.sampler import Step, draw_prior, reverse_step
from models.given.drawing import GivenParts
from models.graphs import GraphBatch
from models.plan import GenerationPlan

# Cost of one batch on one core, which gains little from more: 404 of QM9's largest graphs. QM9's network makes 100 graph-steps
# a second in batches of one graph, 2,700 in batches of 128, 3,400 in batches of 404.
BATCH_COST = 32_768


@dataclass(frozen=True)
class Progress:
    """How far a generation is."""

    fraction: float
    graphs_done: int


@dataclass(frozen=True)
class GeneratedBatch:
    """Graphs of one batch, their numbers in the request, their seeds, and their properties if the plan has a goal."""

    indices: Int[Tensor, " b"]
    seeds: Int[Tensor, " b"]
    graphs: GraphBatch
    properties: PredictedProperties | None = None
    given: Given | None = None
    frames: Sequence[GraphBatch] = ()
    """The graphs after each of the plan's `kept_steps`."""


def draw_sizes(
    weights: Mapping[int, float], seeds: Int[Tensor, " b"], factors: Float[Tensor, "#b sizes"] | None = None
) -> Int[Tensor, " b"]:
    """num_nodes per graph, one size in proportion to its weight, times each graph's own factor, or that of all, if there are any."""
    origin = torch.zeros(1, dtype=torch.long, device=seeds.device)
    uniform = uniforms(seeds, step=torch.zeros_like(seeds), stream=SIZE_STREAM, positions=origin)[:, 0]
    sizes, shares = (torch.tensor(column, device=seeds.device) for column in (list(weights), list(weights.values())))
    shares = shares.expand(len(seeds), -1) if factors is None else shares * factors
    return sizes[draw(shares, uniform)]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Candidates of one generation, by number, after `step` of its steps."""

    generation: "Generation"
    candidates: Int[Tensor, " b"]
    seeds: Int[Tensor, " b"]
    graphs: GraphBatch
    guidance: Guidance | None
    context: Context = NO_CONTEXT
    step: int = 0
    frames: tuple[GraphBatch, ...] = ()

    @property
    def group(self) -> Hashable:
        """Cohorts of one group can advance in one call of the network."""
        return self.generation.kind, self.graphs.max_nodes

    @property
    def cost(self) -> int:
        """What these graphs add to the cost of a step (`models.card.cost`)."""
        return self.generation.cost_of(len(self.graphs), self.graphs.max_nodes)

    @property
    def is_finished(self) -> bool:
        """Whether these graphs are clean."""
        return self.step == self.generation.num_steps

    def with_frame(self) -> "Cohort":
        """The same with its graphs as they are now among the frames, if this step is one to keep."""
        if self.step not in self.generation.kept_steps:
            return self
        return replace(self, frames=(*self.frames, self.graphs))


class Generation:
    """What a plan asks of a model: which graphs, from which noise, by which steps."""

    def __init__(self, model: LoadedModel, plan: GenerationPlan) -> None:
        self.model, self.plan = model, plan
        self.device = model.denoiser.noise.alpha_bar.device
        self.grid = plan.times(model.denoiser.num_timesteps)
        self.seeds = graph_seeds(plan.seed, torch.arange(plan.num_draws, device=self.device))
        self._steering = Steering(model, plan.goal, num_graphs=plan.num_draws, grid=self.grid) if plan.goal else None
        self.sizes = self._draw_sizes()
        self.widths = [padded_size(model.card, size) for size in self.sizes.tolist()]
        self.kept_steps = frozenset(plan.kept_steps(self.num_steps))
        self._given = GivenParts(plan.given, self.device) if plan.given else None
        self._near = GivenParts(plan.near.graphs, self.device) if plan.near else None
        self._best = BestCandidates(plan.candidates)

    @property
    def num_steps(self) -> int:
        """Steps that every graph takes: those of the plan, or fewer where it begins near a graph."""
        return len(self.grid) - 1

    @property
    def kind(self) -> Hashable:
        """Generations of one kind have the same network, sampler and kind of guidance."""
        return id(self.model), self.plan.sampler, self.plan.eta, self._steering and self._steering.kind

    @property
    def largest_cost(self) -> int:
        """What the largest graph adds to a step: the least that a step of this generation must be able to hold."""
        return self.cost_of(1, max(self.widths))

    def cost_of(self, num_graphs: int, width: int) -> int:
        """What so many graphs of one width add to the cost of a step."""
        return num_graphs * graph_cost(self.model.card, width, self.plan.estimator)

    def portions(self, cost: int, chosen: Sequence[int] | None = None) -> Iterator[list[int]]:
        """All candidates of the plan's graphs, or of those chosen, in portions of one width: each costs at most `cost`, or is a single one."""
        count = self.plan.candidates
        by_width: dict[int, list[int]] = {}
        for index in range(self.plan.num_graphs) if chosen is None else chosen:
            by_width.setdefault(self.widths[index], []).extend(range(index * count, (index + 1) * count))
        for _, candidates in sorted(by_width.items()):
            step = max(1, cost // self.cost(candidates[:1]))
            yield from (candidates[start : start + step] for start in range(0, len(candidates), step))

    def group(self, candidates: Sequence[int]) -> Hashable:
        """The group of the cohort that candidates of one width will be."""
        return self.kind, self._width(candidates)

    def cost(self, candidates: Sequence[int]) -> int:
        """The cost of the cohort that candidates of one width will be."""
        return self.cost_of(len(candidates), self._width(candidates))

    def start(self, candidates: Sequence[int]) -> Cohort:
        """Candidates of one width, as noise."""
        chosen = torch.tensor(candidates, device=self.device)
        indices, ordinals = chosen // self.plan.candidates, chosen % self.plan.candidates
        seeds = offspring_seeds(self.seeds[indices], self.plan.candidates, stream=CANDIDATE_STREAM)
        seeds = seeds.gather(1, ordinals[:, None])[:, 0]
        width = self._width(candidates)
        context = self._given.context(indices, self.sizes[indices], width=width) if self._given else NO_CONTEXT
        noise = self._noise(indices, seeds, width, context)
        guidance = self._steering.guidance(indices) if self._steering else None
        return Cohort(self, chosen, seeds, noise, guidance, context).with_frame()

    def _noise(self, indices: Int[Tensor, " b"], seeds: Int[Tensor, " b"], width: int, context: Context) -> GraphBatch:
        """What graphs begin with: pure noise, or a graph noised to the first time."""
        denoiser, sizes = self.model.denoiser, self.sizes[indices]
        if self._near is None:
            return draw_prior(denoiser, sizes, seeds, max_nodes=width, context=context)
        graphs = self._near.graphs(indices, sizes, width=width)
        noisy = corrupt(graphs, torch.full_like(seeds, self.grid[0]), seeds, noise=denoiser.noise)
        return context.given.put_into(noisy) if context.given and denoiser.reads_given else noisy

    @torch.no_grad()
    def finish(self, cohort: Cohort) -> GeneratedBatch | None:
        """The graphs that a finished cohort completes, with their properties; None if each still lacks candidates."""
        if self._steering is None:
            return self._checked(GeneratedBatch(cohort.candidates, cohort.seeds, cohort.graphs, frames=cohort.frames))
        with autocast(self.device):
            kept = self._best.choose(self._with_distances(cohort, self._steering))
            if len(kept.numbers) == 0:
                return None
            properties = self._steering.predict(kept.graphs)
        indices = kept.numbers // self.plan.candidates
        return self._checked(GeneratedBatch(indices, kept.seeds, kept.graphs, properties, frames=kept.frames))

    def _checked(self, batch: GeneratedBatch) -> GeneratedBatch:
        """The same, with what was given of it, after a look whether all of that is there."""
        if self._given is None:
            return batch
        given = self._given.context(batch.indices, batch.graphs.num_nodes, width=batch.graphs.max_nodes).given
        if given is not None and not given.put_into(batch.graphs).equals(batch.graphs):
            raise RuntimeError("a drawn graph lacks what was given of it")
        return replace(batch, given=given)

    def _with_distances(self, cohort: Cohort, steering: Steering) -> FinishedCandidates:
        """The graphs of a cohort with their distances from the targets; 0 where there is nothing to choose."""
        count = self.plan.candidates
        distance = torch.zeros(len(cohort.graphs), device=self.device)
        if count > 1:
            distance = steering.distance(cohort.graphs, cohort.candidates // count)
        return FinishedCandidates(cohort.candidates, cohort.seeds, cohort.graphs, distance, cohort.frames)

    def _width(self, candidates: Sequence[int]) -> int:
        return self.widths[candidates[0] // self.plan.candidates]

    @torch.no_grad()
    def _draw_sizes(self) -> Int[Tensor, " b"]:
        weights = size_weights(self.model.card, range(self.plan.min_nodes, self.plan.max_nodes + 1))
        if self._steering is None:
            return draw_sizes(weights, self.seeds)
        with autocast(self.device):
            return draw_sizes(weights, self.seeds, self._steering.size_likelihood(self.model.denoiser, list(weights)))


@torch.no_grad()
def advance(cohorts: Sequence[Cohort]) -> list[Cohort]:
    """Each cohort one step further, by one call of the network for all of them; they are of one group.

    A turn of the loop of DiGress, algorithm 2.
    """
    first = cohorts[0]
    denoiser, plan = first.generation.model.denoiser, first.generation.plan
    counts = [len(cohort.graphs) for cohort in cohorts]
    times = torch.tensor([cohort.generation.grid[cohort.step : cohort.step + 2] for cohort in cohorts])
    # One row per graph, brought to the device in one piece.
    t, s = times.repeat_interleave(torch.tensor(counts), dim=0).to(first.seeds.device).unbind(1)
    graphs, seeds = GraphBatch.concatenate([c.graphs for c in cohorts]), torch.cat([c.seeds for c in cohorts])
    context = Context.concatenate([cohort.context for cohort in cohorts], [cohort.graphs for cohort in cohorts])
    reverse = reverse_step(plan.sampler, eta=plan.eta)
    guidances = [cohort.guidance for cohort in cohorts if cohort.guidance]
    step = Guidance.concatenate(guidances).step(reverse) if guidances else Step(reverse)
    with autocast(first.generation.device):
        drawn = step(denoiser, graphs, seeds, s=s, t=t, context=context)
    return [
        replace(cohort, graphs=part, step=cohort.step + 1).with_frame()
        for cohort, part in zip(cohorts, drawn.split(counts), strict=True)
    ]


def generate(
    model: LoadedModel, plan: GenerationPlan, on_progress: Callable[[Progress], None] = lambda progress: None
) -> Iterator[GeneratedBatch]:
    """All graphs of a plan, batch by batch; `on_progress` is called after every step and may raise to stop.

    DiGress: `sample_batch`.
    """
    return draw_round(Generation(model, plan), on_progress)


def draw_round(
    generation: Generation,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    chosen: Sequence[int] | None = None,
) -> Iterator[GeneratedBatch]:
    """The graphs of a generation, or those chosen by number."""
    graphs_done, steps_done, plan = 0, 0, generation.plan
    total = (plan.num_graphs if chosen is None else len(chosen)) * plan.candidates * generation.num_steps
    with Lanes(generation.device) as lanes:
        portions = generation.portions(BATCH_COST, chosen)
        while begun := list(islice(portions, lanes.count)):
            parts = [[generation.start(portion)] for portion in begun]
            for _ in range(generation.num_steps):
                parts = lanes.map(advance, parts)
                steps_done += sum(map(len, begun))
                on_progress(Progress(steps_done / total, graphs_done))
            for (cohort,) in parts:
                if batch := generation.finish(cohort):
                    graphs_done += len(batch.indices)
                    yield batch
