"""The events of a job: what scripts append to its stream, and how they are read.

status      it is queued, or a worker has started it
progress    how far it is
succeeded, failed, canceled    it has ended; the last event
"""

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.jobs.keys import events_key, record_key
from app.schemas import JobStatus

FINAL_EVENTS = {status.value for status in JobStatus if status.is_final}


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job: its place in the stream, its name, and its data as JSON.

    An estimate of how the job stands has no place in the stream, since it is made anew each time.
    """

    id: str | None
    name: str
    data: str


async def read_events(redis: AsyncRedis, job_id: str, after: str) -> list[JobEvent]:
    """The events after the one with the id `after`, as far as there are any now."""
    # The type stubs allow for every protocol version; a version 2 connection gives (stream, [(id, fields)]).
    streams: Any = await redis.xread({events_key(job_id): after})
    return [
        JobEvent(number.decode(), fields[b"event"].decode(), fields[b"data"].decode())
        for _, entries in streams or []
        for number, fields in entries
    ]


async def has_ended(redis: AsyncRedis, job_id: str) -> bool:
    """Whether a job has ended, or is no more."""
    # The type stubs allow for a client that is not asynchronous.
    status: Any = await redis.hget(record_key(job_id), "status")
    return status is None or JobStatus(status.decode()).is_final
