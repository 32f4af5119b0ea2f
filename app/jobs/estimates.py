"""How long work takes, by the pace that the workers report and the work that they have left.

seconds of work = cost of the job (`models.card.cost`) · pace, the seconds that one unit of cost takes on one lane

Workers share their time among jobs by weight. So while a job of W seconds is done, others beside it get at most W · Σ w / w of
theirs, however large they are: a small job does not wait for large ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.jobs.reports import WorkerReport
from app.schemas import AnyCompletedRequest
from models.card.card import ModelCard
from models.card.cost import job_cost

# Seconds per unit of cost, for a model that no worker has reported on.
_USUAL_PACE = 2e-6
# Before this share of a job is done, its speed cannot be estimated.
_LEAST_FRACTION = 0.02


@dataclass(frozen=True)
class Ahead:
    """Work that waits before a job, in seconds."""

    own: float = 0.0
    """Of the job's owner."""
    others: float = 0.0
    num_others: int = 0
    """How many jobs of others that is."""


def capacity(model: str, workers: Sequence[WorkerReport]) -> int | None:
    """The most that one step of a model may cost on any worker, by memory; None if no worker has reported it."""
    return max((worker.capacity[model] for worker in workers if model in worker.capacity), default=None)


def work_seconds(request: AnyCompletedRequest, card: ModelCard, workers: Sequence[WorkerReport]) -> float:
    """Seconds of work that a request is on average, at the pace of the fastest worker."""
    num_draws = request.num_graphs * request.candidates
    sizes = request.size_range(card.max_nodes)
    work = job_cost(card, sizes, request.estimator, num_draws=num_draws, num_steps=request.num_steps)
    pace = min((worker.pace[card.name] for worker in workers if card.name in worker.pace), default=_USUAL_PACE)
    return work * pace


def until_done(
    work: float, workers: Sequence[WorkerReport], *, ahead: Ahead = Ahead(), weight: float | None = None
) -> float | None:
    """Seconds until the workers have done so much work, after what is ahead of it; None if there are no workers.

    What they have taken already is done before it; or, for work that has a `weight` among theirs, as much of it as is its share.
    """
    speed = sum(worker.speed for worker in workers)
    own = work + ahead.own
    others = ahead.others + sum(worker.left for worker in workers)
    weights = [worker.weight for worker in workers if worker.weight is not None]
    if weight is not None and len(weights) == len(workers):
        others = min(others, own * (sum(weights) / weight + ahead.num_others))
    return (own + others) / speed if speed > 0 else None


def until_end(started: datetime, fraction: float) -> float | None:
    """Seconds until a running job ends, if its speed stays as it was; None while it is too early to tell."""
    if fraction < _LEAST_FRACTION:
        return None
    return (datetime.now(UTC) - started).total_seconds() * (1 - fraction) / fraction
