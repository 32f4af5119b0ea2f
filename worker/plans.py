"""What a request asks of the sampler."""

from app.schemas import AnyCompletedRequest, GraphFilter
from models.card.card import ModelCard
from models.card.cost import graph_cost, size_weights
from models.card.nearness import noise_for_strength
from models.conditional import Goal
from models.generation import BATCH_COST
from models.given.partial import PartialGraph
from models.given.read import read_conditions
from models.plan import GenerationPlan, Near
from models.similarity import Likeness

_SPARE_PER_GRAPH = 10


def plan(request: AnyCompletedRequest, card: ModelCard) -> GenerationPlan:
    """The plan of a request, which has every default filled in."""
    sizes = request.size_range(card.max_nodes)
    parts, near = _given(request, card)
    return GenerationPlan(
        num_graphs=request.num_graphs,
        min_nodes=sizes[0],
        max_nodes=sizes[-1],
        seed=request.seed,
        sampler=request.sampler,
        grid=card.sampling.grid,
        num_steps=request.num_steps,
        eta=card.sampling.eta,
        keep_frames=request.keep_frames,
        goal=_goal(request),
        given=parts,
        near=near,
        spare=most_draws(request, card) - request.num_graphs,
    )


def most_draws(request: AnyCompletedRequest, card: ModelCard) -> int:
    """How many graphs are drawn at most: eleven for each, or a batch more than asked for; no more than asked for if none is refused."""
    if request.filter == GraphFilter() and request.given is None and request.near is None:
        return request.num_graphs
    cost = graph_cost(card, max(size_weights(card, request.size_range(card.max_nodes))), request.estimator)
    return request.num_graphs + max(_SPARE_PER_GRAPH * request.num_graphs, BATCH_COST // (cost * request.candidates))


def likeness_of(request: AnyCompletedRequest, card: ModelCard) -> Likeness | None:
    """What measures similarity to the graph that a request begins near, if it does."""
    near = read_conditions(None, request.near, card).near
    return None if near is None else Likeness(near, card)


def _given(request: AnyCompletedRequest, card: ModelCard) -> tuple[tuple[PartialGraph, ...], Near | None]:
    """The parts to keep, and the graph to begin near; of strength 0 it is all kept."""
    if request.given is None and request.near is None:
        return (), None
    conditions = read_conditions(request.given, request.near, card)
    if request.near is None or conditions.near is None:
        return conditions.parts, None
    if request.near.strength == 0:
        return (conditions.near,), None
    return conditions.parts, Near((conditions.near,), noise_for_strength(card, request.near.strength))


def _goal(request: AnyCompletedRequest) -> Goal | None:
    if request.estimator is None:
        return None
    return Goal(request.targets, request.estimator, request.guidance_scale, request.candidates)
