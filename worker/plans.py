"""What a request asks of the sampler."""

from app.schemas import AnyCompletedRequest, CompletedConditionalRequest, SizeRange
from models.card.card import ModelCard
from models.conditional import Goal
from models.generation import GenerationPlan


def plan(request: AnyCompletedRequest, card: ModelCard) -> GenerationPlan:
    """The plan of a request, which has every default filled in."""
    match request.num_nodes:
        case None:
            smallest, largest = 1, card.max_nodes
        case SizeRange(min=smallest, max=largest):
            pass
        case int(size):
            smallest = largest = size
    return GenerationPlan(
        num_graphs=request.num_graphs,
        min_nodes=smallest,
        max_nodes=largest,
        seed=request.seed,
        sampler=request.sampler,
        grid=card.sampling.grid,
        num_steps=request.num_steps,
        eta=card.sampling.eta,
        keep_frames=request.keep_frames,
        goal=_goal(request) if isinstance(request, CompletedConditionalRequest) else None,
    )


def _goal(request: CompletedConditionalRequest) -> Goal:
    return Goal(request.targets, request.estimator, request.guidance_scale, request.candidates)
