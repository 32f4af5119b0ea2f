"""The events of a job: what scripts append to its stream, read as it happens.

status      it is queued, or a worker has started it
progress    how far it is
succeeded, failed, canceled    it has ended; the last event
"""

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.jobs.keys import events_key, record_key
from app.schemas import JobStatus

# How long one look at the stream may take: after each, `follow` asks whether anybody still waits.
_MAX_BLOCK_SECONDS = 0.5
_ESTIMATE_SECONDS = 2.0
_FINAL_EVENTS = {status.value for status in JobStatus if status.is_final}


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job: its place in the stream, its name, and its data as JSON.

    An estimate of how the job stands has no place in the stream, since it is made anew each time.
    """

    id: str | None
    name: str
    data: str


async def follow(
    redis: AsyncRedis,
    job_id: str,
    *,
    should_stop: Callable[[], Awaitable[bool]],
    after: str = "0",
    seconds: float = math.inf,
    estimate: Callable[[], Awaitable[JobEvent | None]] | None = None,
) -> AsyncGenerator[JobEvent, None]:
    """The events of a job after the one with the id `after`, as they happen, up to its end.

    Every two seconds comes what `estimate` gives, too. Stops early when `seconds` have passed, or `should_stop` says so.
    Holds no thread.
    """
    deadline, estimate_at = time.monotonic() + seconds, time.monotonic() + _MAX_BLOCK_SECONDS
    while (left := deadline - time.monotonic()) > 0 and not await should_stop():
        events = await _read(redis, job_id, after, block=max(1, int(1000 * min(left, _MAX_BLOCK_SECONDS))))
        is_over = not events and await _has_ended(redis, job_id)
        if is_over:  # it may have ended since: its last event is there now
            events = await _read(redis, job_id, after)
        for event in events:
            after = str(event.id)
            yield event
            if event.name in _FINAL_EVENTS:
                return
        if is_over:
            return
        if estimate and time.monotonic() >= estimate_at:
            estimate_at = time.monotonic() + _ESTIMATE_SECONDS
            if found := await estimate():
                yield found


async def _read(redis: AsyncRedis, job_id: str, after: str, block: int | None = None) -> list[JobEvent]:
    """The events after one; waits up to `block` milliseconds for the first."""
    # The type stubs allow for every protocol version; a version 2 connection gives (stream, [(id, fields)]).
    streams: Any = await redis.xread({events_key(job_id): after}, block=block)
    return [
        JobEvent(number.decode(), fields[b"event"].decode(), fields[b"data"].decode())
        for _, entries in streams or []
        for number, fields in entries
    ]


async def _has_ended(redis: AsyncRedis, job_id: str) -> bool:
    # The type stubs allow for a client that is not asynchronous.
    status: Any = await redis.hget(record_key(job_id), "status")
    return status is None or JobStatus(status.decode()).is_final
