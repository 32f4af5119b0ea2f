"""How long work takes: by what workers say of their pace, and of what they have still to do."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.jobs.reports import WorkerReport
from app.schemas import AnyCompletedRequest, CompletedConditionalRequest, SizeRange
from models.card.card import ModelCard

# Of a model that no worker has spoken of: seconds for a graph's step, per n².
_USUAL_PACE = 2e-6
# By less than this share of a job, its speed cannot be told.
_TELLING_FRACTION = 0.02


def capacity(model: str, workers: Sequence[WorkerReport]) -> int | None:
    """The most Σ n² that any worker can hold in one step of a model; None if none has said."""
    return max((worker.capacity[model] for worker in workers if model in worker.capacity), default=None)


def cost(request: AnyCompletedRequest, card: ModelCard, workers: Sequence[WorkerReport]) -> float:
    """Seconds of work, by pace, that a request is on average."""
    estimator, candidates = None, 1
    if isinstance(request, CompletedConditionalRequest):
        estimator, candidates = request.estimator, request.candidates
    shares = card.sizes_between(*size_range(request, card))
    per_step = sum(share * card.cost(size, estimator) for size, share in shares.items()) / sum(shares.values())
    pace = min((worker.pace[card.name] for worker in workers if card.name in worker.pace), default=_USUAL_PACE)
    return request.num_graphs * candidates * request.num_steps * per_step * pace


def size_range(request: AnyCompletedRequest, card: ModelCard) -> tuple[int, int]:
    """The fewest and the most nodes that the request allows."""
    match request.num_nodes:
        case SizeRange(min=smallest, max=largest):
            return smallest, largest
        case int(size):
            return size, size
        case _:
            return 1, card.max_nodes


def until_done(work: float, workers: Sequence[WorkerReport]) -> float | None:
    """Seconds until the workers have done so much, after what they have taken already; None if there are none."""
    speed = sum(worker.speed for worker in workers)
    return (work + sum(worker.left for worker in workers)) / speed if speed > 0 else None


def until_end(started: datetime, fraction: float) -> float | None:
    """Seconds until a running job ends, if it goes on as it has; None if that is too early to tell."""
    if fraction < _TELLING_FRACTION:
        return None
    return (datetime.now(UTC) - started).total_seconds() * (1 - fraction) / fraction
