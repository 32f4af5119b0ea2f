"""GET /jobs/{id}/events: a job's story as it happens, by server-sent events (HTML Living Standard, section 9.2)."""

import re
from collections.abc import AsyncIterator
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from redis.exceptions import RedisError

from app.http.errors import BadHeader, shorten
from app.http.openapi import example, header, problems
from app.routes.deps import QueueDep, ShouldStopDep, VisibleJob

router = APIRouter(tags=["jobs"])
_log = structlog.get_logger(__name__)


_EVENT_ID = "[0-9]{1,19}(-[0-9]{1,19})?"


async def _last_event(
    job_id: VisibleJob,
    queue: QueueDep,
    last_event_id: Annotated[
        str | None,
        Header(
            description="The last event that was seen: only those after it are sent.",
            json_schema_extra={"pattern": f"^({_EVENT_ID})?$"},
            examples=["1795655307282-0"],
        ),
    ] = None,
) -> str:
    """The place in the job's stream to go on from."""
    await queue.find(job_id, with_graphs=False)
    if last_event_id and not re.fullmatch(_EVENT_ID, last_event_id):
        raise BadHeader(f"Last-Event-ID takes the id of an event of this job, not {shorten(last_event_id)!r}")
    return last_event_id or "0"


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "headers": {"X-Accel-Buffering": header("That proxies are to pass it on at once.", "no")},
            **example("events", "text/event-stream"),
        },
        **problems(400, 404, 503),
    },
)
async def stream_events(
    job_id: VisibleJob, after: Annotated[str, Depends(_last_event)], queue: QueueDep, should_stop: ShouldStopDep
) -> AsyncIterator[ServerSentEvent]:
    """`status` and `progress` events as they come, then `succeeded`, `failed` or `canceled`, which is the last.

    Those of the past come first; a client that lost its connection goes on by Last-Event-ID where it was. Every
    two seconds a `progress` event without an id tells how the job stands: `position` in the queue, `eta_seconds`.
    """
    try:
        async for event in queue.events(job_id, should_stop=should_stop, after=after, with_estimates=True):
            yield ServerSentEvent(id=event.id, event=event.name, raw_data=event.data)
    except RedisError as error:  # the answer has begun: all it can do is end, and the client comes again
        _log.warning("redis is unavailable; a stream of events is cut off", error=str(error))
