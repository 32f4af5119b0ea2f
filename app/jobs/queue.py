"""Jobs in Redis: submit, find, wait.

RQ is the transport: it brings a job to a worker once, and again if the worker dies. The truth about a job is our own
record, a hash that both sides write and that outlives RQ's bookkeeping, with a stream of events beside it:

    digress:job:{id}          status, times, request, progress, summary, error
    digress:job:{id}:graphs   the result, a list
    digress:job:{id}:events   status | progress | succeeded | failed | canceled

RQ messages are JSON, and name the one function that workers run.

A job that is canceled while it is queued ends at once. One that runs is ended by its worker, which hears of it from
Redis at once, and reads it in the record the next time that it writes there, should the word be lost.
"""

import hashlib
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from app.http.errors import IdempotencyKeyReused, NotFound, QueueFull, shorten
from app.jobs.estimates import until_done, until_end
from app.jobs.keys import (
    BACKLOG_KEY,
    CLOCK_KEY,
    JOB_FUNCTION,
    MAX_RETRIES,
    PENDING_KEY,
    QUEUE,
    WEBHOOKS_KEY,
    WORKER_SILENCE_SECONDS,
    WORKERS_KEY,
    created_at,
    events_key,
    frames_key,
    graphs_key,
    record_key,
    worker_key,
)
from app.jobs.records import FoundJob, decoded, new_job_id, to_job
from app.jobs.reports import WorkerReport
from app.jobs.scripts import CANCEL, OLDEST, SUBMIT
from app.jobs.tracing import trace_headers
from app.schemas import MAX_GRAPHS, AnyCompletedRequest, Job, JobStatus

_RQ_TTL = 60
# How long one look at the stream may take: after each, `wait` asks whether anybody still waits.
_LONGEST_BLOCK_SECONDS = 0.5
_OUTLOOK_SECONDS = 2.0
# More than this is not put into one answer, but into pages.
LONGEST_ANSWER_BYTES = 8_000_000
# A job that never ends is forgotten all the same.
_LONGEST_LIFE_SECONDS = 30 * 86_400
_JOBS_KEY = "digress:jobs"
_FLOWS_KEY = "digress:flows"
# How long an idempotency key is remembered.
_IDEMPOTENCY_SECONDS = 86_400
# When to come back to a full queue of which nobody knows how fast it moves.
_USUAL_PATIENCE_SECONDS = 30.0
_FINAL_EVENTS = {status.value for status in JobStatus if status.is_final}


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job: the place in its stream, what it was, and more about it as JSON.

    How a job stands has no place in the stream, for it is found out anew each time.
    """

    id: str | None
    name: str
    data: str


@dataclass(frozen=True)
class IdempotencyKey:
    """What a request is known by if it is sent again: its idempotency key, and a hash of what it asks."""

    key: str
    body: str


@dataclass(frozen=True)
class Submission:
    """A job that is queued, and whether it was before: an earlier request had the same idempotency key and body."""

    job_id: str
    job: Job | None
    """As it was queued; None if that was done before."""

    @property
    def is_known(self) -> bool:
        """Whether an earlier request gave it."""
        return self.job is None


@dataclass(frozen=True)
class QueueState:
    """How the queue is, all in all."""

    waiting: int
    running: int
    oldest_seconds: float
    """Age of the job that waits longest."""
    backlog_seconds: float
    """Work that waits, by the workers' pace."""
    limit: int
    workers: int


class JobQueue:
    """The jobs of one Redis. Methods that only read are coroutines; those that write block for a fraction of a millisecond."""

    def __init__(
        self,
        redis: Redis,
        async_redis: AsyncRedis,
        *,
        job_timeout_seconds: int,
        job_ttl_seconds: int,
        max_queued_jobs: int = 10_000,
    ) -> None:
        self._redis, self._async_redis = redis, async_redis
        self._timeout, self._ttl = job_timeout_seconds, job_ttl_seconds
        self._max_queued = max_queued_jobs
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        self._submit, self._cancel, self._oldest = map(redis.register_script, (SUBMIT, CANCEL, OLDEST))

    def submit(
        self,
        request: AnyCompletedRequest,
        *,
        cost: float = 1.0,
        owner: str = "",
        idempotency_key: IdempotencyKey | None = None,
        request_id: str = "",
    ) -> Submission:
        """Queue a job that is so many seconds of work; `request_id` is for the worker's log, and the current span for its traces.

        Raises:
            QueueFull: if as many jobs wait as may.
            IdempotencyKeyReused: if the idempotency key came with another body before.
        """
        job_id = new_job_id()
        now = datetime.now(UTC)
        record = {
            "status": JobStatus.QUEUED.value,
            "model": request.model,
            "kind": request.kind,
            "owner": owner,
            "created_at": now.isoformat(),
            "request": request.model_dump_json(),
            **({"webhook": str(request.webhook)} if request.webhook else {}),
        }
        message = self._queue.create_job(
            JOB_FUNCTION,
            args=(job_id, request.model_dump(mode="json")),
            job_id=job_id,
            timeout=self._timeout,
            # RQ keeps nothing of use to us, but deletes at once (0) only jobs that never lost a worker.
            result_ttl=_RQ_TTL,
            failure_ttl=_RQ_TTL,
            retry=Retry(max=MAX_RETRIES),
            meta={"request_id": request_id, **trace_headers()},
        )
        message.enqueued_at = now
        outcome, found = self._submit(
            [
                *(record_key(job_id), events_key(job_id), message.key, self._queue.key),
                *(PENDING_KEY, _FLOWS_KEY, CLOCK_KEY, BACKLOG_KEY, _JOBS_KEY, _jobs_key(owner)),
                _idempotency_redis_key(owner, idempotency_key.key if idempotency_key else ""),
            ],
            [
                *(job_id, repr(max(cost, 1e-6)), f"{owner}:{request.priority}", request.priority.weight),
                *(
                    self._max_queued,
                    _LONGEST_LIFE_SECONDS,
                    idempotency_key.body if idempotency_key else "",
                    _IDEMPOTENCY_SECONDS,
                ),
                *(new_job_id(now.timestamp() - _LONGEST_LIFE_SECONDS), len(record)),
                *chain.from_iterable(record.items()),
                *chain.from_iterable(message.to_dict().items()),
            ],
        )
        match outcome.decode():
            case "full":
                raise QueueFull(f"{found.decode()} jobs wait already, which is as many as may")
            case "other":
                raise IdempotencyKeyReused("this Idempotency-Key came with another request before; choose a new one")
            case what:
                return Submission(found.decode(), None if what == "known" else to_job(job_id, record))

    def cancel(self, job_id: str) -> None:
        """End a job before its time; one that has ended stays as it is. A running one ends within a step or two.

        Raises:
            NotFound: if there is none, or it has expired.
        """
        now = datetime.now(UTC)
        forgotten = now + timedelta(seconds=self._ttl)
        keys = [record_key(job_id), events_key(job_id), RqJob.key_for(job_id), self._queue.key]
        times: list[str | int] = [job_id, now.isoformat(), forgotten.isoformat(), self._ttl]
        match self._cancel([*keys, PENDING_KEY, BACKLOG_KEY, WEBHOOKS_KEY, _FLOWS_KEY], times):
            case None:
                raise self._no_such_job(job_id)
            case b"running":
                # The worker may be dead, or done a moment ago: then there is nobody to tell.
                with suppress(NoSuchJobError, InvalidJobOperation):
                    send_stop_job_command(self._redis, job_id, serializer=JSONSerializer)

    async def find(self, job_id: str, *, with_graphs: bool = True) -> FoundJob:
        """The job as it is now.

        Raises:
            NotFound: if there is none, or it has expired.
        """
        fields = await self._record(job_id)
        graphs = None
        if with_graphs and int(fields.get("graphs_bytes", LONGEST_ANSWER_BYTES + 1)) <= LONGEST_ANSWER_BYTES:
            graphs = await self.graphs(job_id, 0, MAX_GRAPHS)
        return FoundJob(to_job(job_id, fields | await self._outlook(job_id, fields)), graphs)

    async def recall(self, idempotency_key: IdempotencyKey, *, owner: str) -> str | None:
        """The job that an earlier request of the same idempotency key and body gave; None if there was none."""
        known: Any = await self._async_redis.hmget(_idempotency_redis_key(owner, idempotency_key.key), ["job", "body"])
        job_id, body = (value.decode() if value else None for value in known)
        if job_id is None or body != idempotency_key.body or not await self._async_redis.exists(record_key(job_id)):
            return None
        return str(job_id)

    def state(self) -> QueueState:
        """How the queue is now."""
        seconds, _ = self._redis.time()
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.llen(self._queue.key)
            pipeline.zcard(PENDING_KEY)
            pipeline.zcard(self._queue.started_job_registry.key)
            pipeline.get(BACKLOG_KEY)
            pipeline.zcount(WORKERS_KEY, seconds - WORKER_SILENCE_SECONDS, "+inf")
            next_ones, pending, running, backlog, workers = pipeline.execute()
        oldest: Any = self._oldest([self._queue.key, PENDING_KEY])
        age = seconds - created_at(oldest.decode()) if oldest else 0.0
        return QueueState(next_ones + pending, running, max(age, 0.0), float(backlog or 0), self._max_queued, workers)

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

    async def page(
        self, *, owner: str | None = None, before: str | None = None, count: int = 50
    ) -> tuple[list[Job], str | None]:
        """The newest jobs, of one owner or of all, older than the one with the id `before`; and where to go on from."""
        key = _JOBS_KEY if owner is None else _jobs_key(owner)
        jobs: list[Job] = []
        last: str | None = f"({before}" if before else "+"
        while len(jobs) < count and last is not None:
            found: Any = await self._async_redis.zrange(
                key,
                last,
                "-",
                desc=True,
                bylex=True,
                offset=0,
                num=count,  # not only what is missing: most of them may have expired
            )
            ids = [job_id.decode() for job_id in found]
            last = f"({ids[-1]}" if len(ids) == count else None
            async with self._async_redis.pipeline(transaction=False) as pipeline:
                for job_id in ids:
                    pipeline.hgetall(record_key(job_id))
                records = await pipeline.execute()
            gone = [job_id for job_id, record in zip(ids, records, strict=True) if not record]
            if gone:
                await self._async_redis.zrem(key, *gone)
            jobs += [to_job(job_id, decoded(record)) for job_id, record in zip(ids, records, strict=True) if record]
        if len(jobs) > count:
            jobs, last = jobs[:count], f"({jobs[count - 1].id}"
        return jobs, last and last[1:]

    async def _record(self, job_id: str) -> dict[str, str]:
        record: Any = await self._async_redis.hgetall(record_key(job_id))
        if not record:
            raise self._no_such_job(job_id)
        return decoded(record)

    async def _outlook(self, job_id: str, record: Mapping[str, str]) -> dict[str, str]:
        """Where a job stands in the queue, and about when it will have ended."""
        match record["status"]:
            case JobStatus.QUEUED:
                ahead, work = await self._ahead(job_id)
                left = until_done(work + float(record["cost"]), await self.workers())
                place = {} if ahead is None else {"position": str(ahead)}
            case JobStatus.RUNNING:
                place, left = (
                    {},
                    until_end(datetime.fromisoformat(record["started_at"]), float(record.get("fraction", 0))),
                )
            case _:
                return {}
        return place if left is None else place | {"eta_seconds": f"{left:.1f}"}

    async def _ahead(self, job_id: str) -> tuple[int | None, float]:
        """How many jobs are to be taken before a job, and about how many seconds of work they are."""
        async with self._async_redis.pipeline(transaction=True) as pipeline:
            pipeline.lrange(self._queue.key, 0, -1)
            pipeline.zrank(PENDING_KEY, job_id)
            pipeline.zcard(PENDING_KEY)
            pipeline.get(BACKLOG_KEY)
            next_ones, rank, waiting, backlog = await pipeline.execute()
        if job_id.encode() in next_ones:
            return next_ones.index(job_id.encode()), 0.0
        if rank is None:
            return None, 0.0  # a worker has just taken it
        return len(next_ones) + rank, float(backlog or 0) * rank / waiting

    async def graphs(self, job_id: str, first: int, count: int) -> list[bytes]:
        """So many of a job's graphs, each as JSON, from the one with the number `first` on; none where there are none."""
        # The type stubs allow for text and for a client that is not asynchronous.
        found: Any = await self._async_redis.lrange(graphs_key(job_id), first, first + count - 1)
        return list(found)

    async def num_graphs(self, job_id: str) -> int:
        """How many graphs there are of a job."""
        # The type stubs allow for a client that is not asynchronous.
        found: Any = self._async_redis.llen(graphs_key(job_id))
        return int(await found)

    async def trajectory(self, job_id: str, number: int) -> bytes | None:
        """The way of a job's graph, as JSON; None if no frames were kept."""
        # The type stubs allow for text and for a client that is not asynchronous.
        found: Any = await self._async_redis.lindex(frames_key(job_id), number)
        return found  # type: ignore[no-any-return]

    async def events(
        self,
        job_id: str,
        *,
        should_stop: Callable[[], Awaitable[bool]],
        after: str = "0",
        seconds: float = math.inf,
        with_outlook: bool = False,
    ) -> AsyncIterator[JobEvent]:
        """What has happened to the job after the event with the id `after`, and what happens, up to its end.

        `with_outlook` tells every two seconds, beside that, how the job stands: its position in the queue, and about how long
        until it ends. Stops early when `seconds` have passed, or going on has become pointless. Holds no thread.
        """
        deadline, outlook_at = time.monotonic() + seconds, time.monotonic() + _LONGEST_BLOCK_SECONDS
        while (left := deadline - time.monotonic()) > 0 and not await should_stop():
            block = max(1, int(1000 * min(left, _LONGEST_BLOCK_SECONDS)))
            # The type stubs allow for every protocol version; a version 2 connection gives (stream, [(id, fields)]).
            streams: Any = await self._async_redis.xread({events_key(job_id): after}, block=block)
            is_over = not streams and await self._is_over(job_id)
            if is_over:  # it may have ended since: its last event is there now
                streams = await self._async_redis.xread({events_key(job_id): after})
            for number, fields in (entry for _, entries in streams or [] for entry in entries):
                after = number.decode()
                event = JobEvent(after, fields[b"event"].decode(), fields[b"data"].decode())
                yield event
                if event.name in _FINAL_EVENTS:
                    return
            if is_over:
                return
            if with_outlook and time.monotonic() >= outlook_at:
                outlook_at = time.monotonic() + _OUTLOOK_SECONDS
                with suppress(NotFound):
                    found = await self.find(job_id, with_graphs=False)
                    yield JobEvent(None, "progress", found.job.progress.model_dump_json())

    async def wait(self, job_id: str, seconds: float, *, should_stop: Callable[[], Awaitable[bool]]) -> None:
        """Return when the job has ended, `seconds` have passed, or waiting has become pointless."""
        async for _ in self.events(job_id, should_stop=should_stop, seconds=seconds):
            pass

    async def _is_over(self, job_id: str) -> bool:
        # The type stubs allow for a client that is not asynchronous.
        status: Any = await self._async_redis.hget(record_key(job_id), "status")
        return status is None or JobStatus(status.decode()).is_final

    async def num_workers(self) -> int:
        """Workers that have been heard of in the last few seconds."""
        seconds, _ = await self._async_redis.time()
        return int(await self._async_redis.zcount(WORKERS_KEY, seconds - WORKER_SILENCE_SECONDS, "+inf"))

    async def workers(self) -> list[WorkerReport]:
        """What the workers have said of themselves."""
        # The type stubs allow for scores too.
        names: Any = await self._async_redis.zrange(WORKERS_KEY, 0, -1)
        said = await self._async_redis.mget([worker_key(name.decode()) for name in names]) if names else []
        return [WorkerReport.model_validate_json(report) for report in said if report]

    async def seconds_until_room(self) -> float:
        """About how long until a tenth of the queue has been computed, at least a second."""
        backlog = await self._async_redis.get(BACKLOG_KEY)
        return max(until_done(float(backlog or 0) / 10, await self.workers()) or _USUAL_PATIENCE_SECONDS, 1.0)

    def _no_such_job(self, job_id: str) -> NotFound:
        return NotFound(f"there is no job {shorten(job_id)!r}; a job is kept for {self._ttl} seconds after it ended")

    async def close(self) -> None:
        """Let the connections go."""
        self._redis.close()
        await self._async_redis.aclose()


def _jobs_key(owner: str) -> str:
    return f"{_JOBS_KEY}:{owner}"


def _idempotency_redis_key(owner: str, key: str) -> str:
    return f"digress:again:{owner}:{hashlib.sha256(key.encode()).hexdigest()}"
