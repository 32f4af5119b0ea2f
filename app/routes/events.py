"""GET /jobs/{id}/events: the events of a job as they happen, as server-sent events (HTML Living Standard, section 9.2)."""

import re
from collections.abc import AsyncIterator
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from redis.exceptions import RedisError

from app.access.admission import while_admitted
from app.http.errors import BadHeader, Unauthorized, shorten
from app.http.openapi import example, header, problems
from app.routes.deps import AdmitDep, QueueDep, VisibleJob, hold_place

router = APIRouter(tags=["jobs"])
_log = structlog.get_logger(__name__)


_EVENT_ID = "[0-9]{1,19}(-[0-9]{1,19})?"


async def _last_event(
    job_id: VisibleJob,
    queue: QueueDep,
    last_event_id: Annotated[
        str | None,
        Header(
            description="Id of the last event received: only later ones are sent.",
            json_schema_extra={"pattern": f"^({_EVENT_ID})?$"},
            examples=["1795655307282-0"],
        ),
    ] = None,
) -> str:
    """The event to resume after."""
    await queue.find(job_id, with_graphs=False)
    if last_event_id and not re.fullmatch(_EVENT_ID, last_event_id):
        raise BadHeader(f"Last-Event-ID takes the id of an event of this job, not {shorten(last_event_id)!r}")
    return last_event_id or "0"


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(hold_place)],
    responses={
        200: {
            "headers": {"X-Accel-Buffering": header("Proxies must not buffer the stream.", "no")},
            **example("events", "text/event-stream"),
        },
        **problems(400, 404, 429, 503),
    },
)
async def stream_events(
    job_id: VisibleJob, after: Annotated[str, Depends(_last_event)], queue: QueueDep, admit: AdmitDep
) -> AsyncIterator[ServerSentEvent]:
    """`status` and `progress` events as they happen; `succeeded`, `failed` or `canceled` is the last.

    Past events come first; a client that lost its connection resumes with Last-Event-ID. Every two seconds, or less often
    while hundreds listen, a `progress` event without an id has the `position` in the queue and `eta_seconds`.
    """
    try:
        events = queue.events(job_id, after=after, with_estimates=True)
        async for event in while_admitted(events, admit):
            yield ServerSentEvent(id=event.id, event=event.name, raw_data=event.data)
    except RedisError as error:  # the response has started, so it can only end; the client reconnects
        _log.warning("redis is unavailable; a stream of events ends early", error=str(error))
    except Unauthorized:
        _log.info("a stream of events ends early: its key is revoked")
