"""What a request asks of the sampler."""

from app.schemas import AnyCompletedRequest
from models.card.card import ModelCard
from models.conditional import Goal
from models.plan import GenerationPlan


def plan(request: AnyCompletedRequest, card: ModelCard) -> GenerationPlan:
    """The plan of a request, which has every default filled in."""
    sizes = request.size_range(card.max_nodes)
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
    )


def _goal(request: AnyCompletedRequest) -> Goal | None:
    if request.estimator is None:
        return None
    return Goal(request.targets, request.estimator, request.guidance_scale, request.candidates)
