"""Jobs read from Redis: their records, graphs and events. Every method is a coroutine and changes no job."""

import math
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.http.errors import NotFound, shorten
from app.jobs import keys
from app.jobs.following.events import JobEvent
from app.jobs.following.hub import EventHub
from app.jobs.keys import JOBS_KEY, frames_key, graphs_key, owner_jobs_key, record_key
from app.jobs.records import StoredJob, decode_fields, to_job
from app.jobs.state import estimates
from app.schemas import MAX_GRAPHS, Job

# Larger results are not put into one answer, but into pages.
MAX_ANSWER_BYTES = 8_000_000
# Larger ones are read and sent in parts.
_MAX_BYTES_AT_ONCE = 256_000


@dataclass(frozen=True)
class IdempotencyKey:
    """An idempotency key, and a hash of the request that came with it."""

    key: str
    body: str


class JobReader:
    """The jobs of one Redis, for those who ask about them."""

    def __init__(self, async_redis: AsyncRedis, *, job_ttl_seconds: int) -> None:
        self._async_redis, self._ttl = async_redis, job_ttl_seconds
        self.hub = EventHub(async_redis)

    async def require(self, job_id: str, *, owner: str | None) -> None:
        """Make sure that a job is there for its owner to see; None sees all.

        Raises:
            NotFound: if it is not.
        """
        if not re.fullmatch("[0-9a-f]{32}", job_id):  # nor may it be part of the name of another key
            raise self._no_such_job(job_id)
        # The type stubs allow for a client that is not asynchronous.
        found: Any = await self._async_redis.hget(record_key(job_id), "owner")
        if found is None or owner not in {None, found.decode()}:
            raise self._no_such_job(job_id)

    async def find(self, job_id: str, *, with_graphs: bool = True) -> StoredJob:
        """The job as it is now.

        Raises:
            NotFound: if there is none, or it has expired.
        """
        # The type stubs allow for a client that is not asynchronous.
        found: Any = await self._async_redis.hgetall(record_key(job_id))
        if not found:
            raise self._no_such_job(job_id)
        record = decode_fields(found)
        graphs, size = None, int(record.get("graphs_bytes", MAX_ANSWER_BYTES + 1))
        if with_graphs and size <= _MAX_BYTES_AT_ONCE:
            graphs = await self.graphs(job_id, 0, MAX_GRAPHS)
        estimated = await estimates(self._async_redis, {job_id: record})
        return StoredJob(
            to_job(job_id, record | estimated[job_id]),
            graphs,
            # Progress counts graphs that may never arrive.
            num_graphs=int(record["graphs_done"]) if "graphs_bytes" in record else 0,
            graphs_bytes=size,
            has_more=with_graphs and _MAX_BYTES_AT_ONCE < size <= MAX_ANSWER_BYTES,
        )

    async def find_by_idempotency_key(self, idempotency_key: IdempotencyKey, *, owner: str) -> str | None:
        """The id of the job that an earlier request of the same key and body gave; None if there was none."""
        name = keys.idempotency_key(owner, idempotency_key.key)
        # The type stubs allow for a client that is not asynchronous.
        known: Any = await self._async_redis.hmget(name, ["job", "body"])
        job_id, body = (value.decode() if value else None for value in known)
        if job_id is None or body != idempotency_key.body or not await self._async_redis.exists(record_key(job_id)):
            return None
        return str(job_id)

    async def page(
        self, *, owner: str | None = None, before: str | None = None, count: int = 50
    ) -> tuple[list[Job], str | None]:
        """The newest jobs, of one owner or of all, older than the one with the id `before`; and where to go on from."""
        key = JOBS_KEY if owner is None else owner_jobs_key(owner)
        jobs: list[Job] = []
        last: str | None = f"({before}" if before else "+"
        while len(jobs) < count and last is not None:
            # Not only as many as are missing: most of them may have expired.
            found: Any = await self._async_redis.zrange(key, last, "-", desc=True, bylex=True, offset=0, num=count)
            ids = [job_id.decode() for job_id in found]
            last = f"({ids[-1]}" if len(ids) == count else None
            jobs += await self._listed(key, ids)
        if len(jobs) > count:
            jobs, last = jobs[:count], f"({jobs[count - 1].id}"
        return jobs, last and last[1:]

    async def _listed(self, key: str, ids: list[str]) -> list[Job]:
        """Those of the jobs that have not expired; the others are taken off the list."""
        async with self._async_redis.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hgetall(record_key(job_id))
            records = dict(zip(ids, await pipeline.execute(), strict=True))
        gone = [job_id for job_id, record in records.items() if not record]
        if gone:
            await self._async_redis.zrem(key, *gone)
        return [to_job(job_id, decode_fields(record)) for job_id, record in records.items() if record]

    async def graphs(self, job_id: str, first: int, count: int) -> list[bytes]:
        """Up to `count` of a job's graphs, each as JSON, from the one with the number `first` on; none where there are none."""
        # The type stubs allow for text and for a client that is not asynchronous.
        found: Any = await self._async_redis.lrange(graphs_key(job_id), first, first + count - 1)
        return list(found)

    async def trajectory(self, job_id: str, number: int) -> bytes | None:
        """The trajectory of a job's graph, as JSON; None if no frames were kept."""
        # The type stubs allow for text and for a client that is not asynchronous.
        found: Any = await self._async_redis.lindex(frames_key(job_id), number)
        return found  # type: ignore[no-any-return]

    def events(
        self, job_id: str, *, after: str = "0", seconds: float = math.inf, with_estimates: bool = False
    ) -> AsyncGenerator[JobEvent, None]:
        """The events of a job, as `EventHub.follow` gives them.

        `with_estimates` adds a `progress` event every two seconds, or less often if many follow: the position in the queue, and
        about how long until the job ends.
        """
        return self.hub.follow(job_id, after=after, seconds=seconds, with_estimates=with_estimates)

    async def wait(self, job_id: str, seconds: float) -> None:
        """Return when the job has ended, `seconds` have passed, or the process stops."""
        async for _ in self.events(job_id, seconds=seconds):
            pass

    def _no_such_job(self, job_id: str) -> NotFound:
        return NotFound(f"there is no job {shorten(job_id)!r}; a job is kept for {self._ttl} seconds after it ended")
