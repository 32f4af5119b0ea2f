"""What routes depend on: the queue and the model cards, the caller, and a place among those who wait."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.admission import Admit
from app.access.authenticator import Authenticator
from app.access.quota import Caller
from app.catalogue.served_models import ServedModels
from app.http.errors import Forbidden
from app.http.examples import JOB_ID
from app.http.sharing.fair_threads import FairThreads
from app.http.sharing.places import Places
from app.http.telemetry import ApiMetrics
from app.jobs.queue import JobQueue
from models.card.card import ModelCard

# Drawing and writing occupy a core, so few threads do it at once; other requests are answered meanwhile.
THREADS = FairThreads(2)


def _queue(request: Request) -> JobQueue:
    queue: JobQueue = request.app.state.queue
    return queue


def _served_models(request: Request) -> ServedModels:
    served_models: ServedModels = request.app.state.served_models
    return served_models


ServedModelsDep = Annotated[ServedModels, Depends(_served_models)]


async def _cards(served_models: ServedModelsDep) -> dict[str, ModelCard]:
    return await served_models.cards()


_bearer = HTTPBearer(auto_error=False, description="An API key, if DIGRESS_AUTH is `keys`.")


_CredentialsDep = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def _caller(request: Request, credentials: _CredentialsDep) -> Caller:
    authenticator: Authenticator | None = request.app.state.authenticator
    if authenticator is None:
        return Caller(sees_all=True)
    return await authenticator.authenticate(credentials.credentials if credentials else None)


def _admit(request: Request, credentials: _CredentialsDep) -> Admit:
    return partial(_caller, request, credentials)


def _places(request: Request) -> Places:
    places: Places = request.app.state.places
    return places


def _metrics(request: Request) -> ApiMetrics:
    metrics: ApiMetrics = request.app.state.metrics
    return metrics


QueueDep = Annotated[JobQueue, Depends(_queue)]
CardsDep = Annotated[dict[str, ModelCard], Depends(_cards)]
MetricsDep = Annotated[ApiMetrics, Depends(_metrics)]
CallerDep = Annotated[Caller, Depends(_caller)]
PlacesDep = Annotated[Places, Depends(_places)]
# To ask again, in a long answer, whether the caller may have it.
AdmitDep = Annotated[Admit, Depends(_admit)]


async def _admin(caller: CallerDep) -> Caller:
    if not caller.is_admin:
        raise Forbidden(
            "only an admin key allows this: DIGRESS_ADMIN_KEY, or one made with `digress keys create NAME --admin`"
        )
    return caller


AdminDep = Annotated[Caller, Depends(_admin)]


_JOB_ID = Path(
    description="Id of a job, from the answer to `POST /generate`.",
    json_schema_extra={"pattern": "^[0-9a-f]{32}$"},
    examples=[JOB_ID],
)


async def _visible_job(job_id: Annotated[str, _JOB_ID], caller: CallerDep, queue: QueueDep) -> str:
    await queue.require(job_id, owner=caller.owner)
    return job_id


# The id of a job that the caller may see; any other id is answered 404.
VisibleJob = Annotated[str, Depends(_visible_job)]


async def hold_place(caller: CallerDep, places: PlacesDep) -> AsyncIterator[None]:
    """Hold a place among those who wait for jobs, until the response has been sent."""
    with places.hold(caller.name):
        yield
