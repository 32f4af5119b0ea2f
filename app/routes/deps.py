"""What routes are given: the queue and the cards, as `create_app` received them, who asks, and whether it is worth waiting."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.keys import Caller, Gate
from app.catalogue.served_models import Shelf
from app.http.errors import Forbidden
from app.http.examples import JOB_ID
from app.http.telemetry import ApiMetrics
from app.jobs.queue import JobQueue
from models.card.card import ModelCard


def _queue(request: Request) -> JobQueue:
    queue: JobQueue = request.app.state.queue
    return queue


def _shelf(request: Request) -> Shelf:
    shelf: Shelf = request.app.state.shelf
    return shelf


ShelfDep = Annotated[Shelf, Depends(_shelf)]


async def _cards(shelf: ShelfDep) -> dict[str, ModelCard]:
    return await shelf.cards()


_bearer = HTTPBearer(auto_error=False, description="An API key, where DIGRESS_AUTH is `keys`.")


async def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Caller:
    gate: Gate | None = request.app.state.gate
    if gate is None:
        return Caller(sees_all=True)
    return await gate.admit(credentials.credentials if credentials else None)


def _pointless(request: Request) -> Callable[[], Awaitable[bool]]:
    async def pointless() -> bool:
        return request.app.state.is_stopping() or await request.is_disconnected()

    return pointless


def _metrics(request: Request) -> ApiMetrics:
    metrics: ApiMetrics = request.app.state.metrics
    return metrics


QueueDep = Annotated[JobQueue, Depends(_queue)]
CardsDep = Annotated[dict[str, ModelCard], Depends(_cards)]
MetricsDep = Annotated[ApiMetrics, Depends(_metrics)]
CallerDep = Annotated[Caller, Depends(_caller)]


async def _admin(caller: CallerDep) -> Caller:
    if not caller.is_admin:
        raise Forbidden(
            "only an admin key allows this: DIGRESS_ADMIN_KEY, or one made by `digress keys create NAME --admin`"
        )
    return caller


AdminDep = Annotated[Caller, Depends(_admin)]


_JOB_ID = Path(
    description="Of a job, as the answer to `POST /generate` has it.",
    json_schema_extra={"pattern": "^[0-9a-f]{32}$"},
    examples=[JOB_ID],
)


async def _visible_job(job_id: Annotated[str, _JOB_ID], caller: CallerDep, queue: QueueDep) -> str:
    await queue.require(job_id, owner=caller.owner)
    return job_id


# The id of a job that the caller may see; of others there is nothing to be known.
VisibleJob = Annotated[str, Depends(_visible_job)]
# Whether to stop waiting for a job: the client is gone, or the server is about to be.
PointlessDep = Annotated[Callable[[], Awaitable[bool]], Depends(_pointless)]
