"""What routes are given: the queue and the cards, as `create_app` received them, who asks, and whether it is worth waiting."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.authenticator import Authenticator
from app.access.quota import Caller
from app.catalogue.served_models import ServedModels
from app.http.errors import Forbidden
from app.http.examples import JOB_ID
from app.http.telemetry import ApiMetrics
from app.jobs.queue import JobQueue
from models.card.card import ModelCard


def _queue(request: Request) -> JobQueue:
    queue: JobQueue = request.app.state.queue
    return queue


def _served_models(request: Request) -> ServedModels:
    served_models: ServedModels = request.app.state.served_models
    return served_models


ServedModelsDep = Annotated[ServedModels, Depends(_served_models)]


async def _cards(served_models: ServedModelsDep) -> dict[str, ModelCard]:
    return await served_models.cards()


_bearer = HTTPBearer(auto_error=False, description="An API key, where DIGRESS_AUTH is `keys`.")


async def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Caller:
    authenticator: Authenticator | None = request.app.state.authenticator
    if authenticator is None:
        return Caller(sees_all=True)
    return await authenticator.admit(credentials.credentials if credentials else None)


def _should_stop(request: Request) -> Callable[[], Awaitable[bool]]:
    async def should_stop() -> bool:
        return request.app.state.is_stopping() or await request.is_disconnected()

    return should_stop


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
ShouldStopDep = Annotated[Callable[[], Awaitable[bool]], Depends(_should_stop)]
