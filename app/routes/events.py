"""GET /jobs/{id}/events: a job's story as it happens, by server-sent events (HTML Living Standard, section 9.2)."""

import re
from collections.abc import AsyncIterator
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from redis.exceptions import RedisError

from app.deps import PointlessDep, QueueDep, VisibleJob
from app.errors import BadHeader, problems, shorten

router = APIRouter(tags=["jobs"])
_log = structlog.get_logger(__name__)


async def _last_event(
    job_id: VisibleJob,
    queue: QueueDep,
    last_event_id: Annotated[
        str | None, Header(description="The last event that was seen: only those after it are sent.")
    ] = None,
) -> str:
    """The place in the job's stream to go on from."""
    await queue.find(job_id, with_graphs=False)
    if last_event_id and not re.fullmatch(r"[0-9]{1,19}(-[0-9]{1,19})?", last_event_id):
        raise BadHeader(f"Last-Event-ID takes the id of an event of this job, not {shorten(last_event_id)!r}")
    return last_event_id or "0"


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=problems(400, 404, 422, 503))
async def stream_events(
    job_id: VisibleJob, after: Annotated[str, Depends(_last_event)], queue: QueueDep, pointless: PointlessDep
) -> AsyncIterator[ServerSentEvent]:
    """`status` and `progress` events as they come, then `succeeded`, `failed` or `canceled`, which is the last.

    Those of the past come first; a client that lost its connection goes on by Last-Event-ID where it was.
    """
    try:
        async for event in queue.events(job_id, pointless=pointless, after=after):
            yield ServerSentEvent(id=event.id, event=event.name, raw_data=event.data)
    except RedisError as error:  # the answer has begun: all it can do is end, and the client comes again
        _log.warning("redis is unavailable; a stream of events is cut off", error=str(error))
