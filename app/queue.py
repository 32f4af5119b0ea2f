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

import json
import math
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from app.errors import NotFound, shorten
from app.schemas import (
    JOB_FUNCTION,
    MAX_GRAPHS,
    QUEUE,
    WORKER_SILENCE_SECONDS,
    WORKERS_KEY,
    AnyCompletedRequest,
    Job,
    JobStatus,
    capacity_key,
    events_key,
    graphs_key,
    record_key,
)

# Times that a job is tried again after a worker died over it.
_MAX_RETRIES = 2
_RQ_TTL = 60
# How long one look at the stream may take: after each, `wait` asks whether anybody still waits.
_LONGEST_BLOCK_SECONDS = 0.5
# More than this is not put into one answer, but into pages.
LONGEST_ANSWER_BYTES = 8_000_000
# A job that never ends is forgotten all the same.
_LONGEST_LIFE_SECONDS = 30 * 86_400
_FINAL_EVENTS = {status.value for status in JobStatus if status.is_final}
# Keys: record, events. Arguments: now, when it is forgotten, the seconds until then. Answers what the status is now.
_CANCEL = """
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'queued' then
    redis.call('HSET', KEYS[1], 'status', 'canceled', 'finished_at', ARGV[1], 'expires_at', ARGV[2])
    redis.call('XADD', KEYS[2], '*', 'event', 'canceled', 'data', '{}')
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    redis.call('EXPIRE', KEYS[2], ARGV[3])
    return 'canceled'
end
if status == 'running' then redis.call('HSET', KEYS[1], 'cancel_requested', '1') end
return status
"""


@dataclass(frozen=True)
class FoundJob:
    """A job without its graphs, and the graphs as the worker wrote them, each as JSON, if they were asked for and are not too many."""

    job: Job
    graphs: list[bytes] | None

    def to_json(self) -> bytes:
        """The whole job; the graphs are put in as they are, never parsed."""
        document = self.job.model_dump_json(exclude={"graphs"}).encode()
        graphs = b"null" if self.graphs is None else b"[" + b",".join(self.graphs) + b"]"
        return document[:-1] + b',"graphs":' + graphs + b"}"


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job: the place in its stream, what it was, and more about it as JSON."""

    id: str
    name: str
    data: str


class JobQueue:
    """The jobs of one Redis. Methods that only read are coroutines; `submit` blocks for a fraction of a millisecond."""

    def __init__(
        self, redis: Redis, async_redis: AsyncRedis, *, job_timeout_seconds: int, job_ttl_seconds: int
    ) -> None:
        self._redis, self._async_redis = redis, async_redis
        self._timeout, self._ttl = job_timeout_seconds, job_ttl_seconds
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        self._cancel = redis.register_script(_CANCEL)

    def submit(self, request: AnyCompletedRequest) -> str:
        """Queue a job and return its id."""
        job_id = uuid.uuid4().hex
        now = datetime.now(UTC)
        record: dict[Any, Any] = {
            "status": JobStatus.QUEUED.value,
            "model": request.model,
            "kind": request.kind,
            "created_at": now.isoformat(),
            "request": request.model_dump_json(),
        }
        with self._redis.pipeline() as pipeline:
            pipeline.hset(record_key(job_id), mapping=record)
            pipeline.expire(record_key(job_id), _LONGEST_LIFE_SECONDS)
            pipeline.xadd(events_key(job_id), {"event": "status", "data": json.dumps({"status": "queued"})})
            pipeline.expire(events_key(job_id), _LONGEST_LIFE_SECONDS)
            pipeline.execute()
        # After the record, so that a worker never meets a job without one.
        self._queue.enqueue_call(
            JOB_FUNCTION,
            args=(job_id, request.model_dump(mode="json")),
            job_id=job_id,
            timeout=self._timeout,
            # RQ keeps nothing of use to us, but deletes at once (0) only jobs that never lost a worker.
            result_ttl=_RQ_TTL,
            failure_ttl=_RQ_TTL,
            retry=Retry(max=_MAX_RETRIES),
        )
        return job_id

    def cancel(self, job_id: str) -> None:
        """End a job before its time; one that has ended stays as it is. A running one ends within a step or two.

        Raises:
            NotFound: if there is none, or it has expired.
        """
        now = datetime.now(UTC)
        times: list[str | int] = [now.isoformat(), (now + timedelta(seconds=self._ttl)).isoformat(), self._ttl]
        match self._cancel([record_key(job_id), events_key(job_id)], times):
            case None:
                raise self._no_such_job(job_id)
            case b"canceled":
                # If no worker has taken it, nobody else will clean up; one that has finds that the job is over.
                if self._redis.lrem(self._queue.key, 1, job_id):
                    self._redis.delete(RqJob.key_for(job_id))
            case b"running":
                # The worker may be dead, or done a moment ago: then there is nobody to tell.
                with suppress(NoSuchJobError, InvalidJobOperation):
                    send_stop_job_command(self._redis, job_id, serializer=JSONSerializer)

    async def find(self, job_id: str, *, with_graphs: bool = True) -> FoundJob:
        """The job as it is now.

        Raises:
            NotFound: if there is none, or it has expired.
        """
        record: Any = await self._async_redis.hgetall(record_key(job_id))
        if not record:
            raise self._no_such_job(job_id)
        fields = {name.decode(): value.decode() for name, value in record.items()}
        graphs = None
        if with_graphs and int(fields.get("graphs_bytes", LONGEST_ANSWER_BYTES + 1)) <= LONGEST_ANSWER_BYTES:
            graphs = await self.graphs(job_id, 0, MAX_GRAPHS)
        return FoundJob(_job(job_id, fields), graphs)

    async def graphs(self, job_id: str, first: int, count: int) -> list[bytes]:
        """So many of a job's graphs, each as JSON, from the one with the number `first` on; none where there are none."""
        # The type stubs allow for text and for a client that is not asynchronous.
        found: Any = await self._async_redis.lrange(graphs_key(job_id), first, first + count - 1)
        return list(found)

    async def events(
        self, job_id: str, *, pointless: Callable[[], Awaitable[bool]], after: str = "0", seconds: float = math.inf
    ) -> AsyncIterator[JobEvent]:
        """What has happened to the job after the event with the id `after`, and what happens, up to its end.

        Stops early when `seconds` have passed, or going on has become pointless. Holds no thread.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not await pointless():
            block = max(1, int(1000 * min(left, _LONGEST_BLOCK_SECONDS)))
            # The type stubs allow for every protocol version; a version 2 connection gives (stream, [(id, fields)]).
            streams: Any = await self._async_redis.xread({events_key(job_id): after}, block=block)
            if not streams and await self._is_over(job_id):
                return
            for number, fields in (entry for _, entries in streams or [] for entry in entries):
                after = number.decode()
                event = JobEvent(after, fields[b"event"].decode(), fields[b"data"].decode())
                yield event
                if event.name in _FINAL_EVENTS:
                    return

    async def wait(self, job_id: str, seconds: float, *, pointless: Callable[[], Awaitable[bool]]) -> None:
        """Return when the job has ended, `seconds` have passed, or waiting has become pointless."""
        async for _ in self.events(job_id, pointless=pointless, seconds=seconds):
            pass

    async def _is_over(self, job_id: str) -> bool:
        # The type stubs allow for a client that is not asynchronous.
        status: Any = await self._async_redis.hget(record_key(job_id), "status")
        return status is None or JobStatus(status.decode()).is_final

    async def num_workers(self) -> int:
        """Workers that have been heard of in the last few seconds."""
        seconds, _ = await self._async_redis.time()
        return int(await self._async_redis.zcount(WORKERS_KEY, seconds - WORKER_SILENCE_SECONDS, "+inf"))

    async def capacity(self, model: str) -> int | None:
        """The most Σ n² that any worker can hold in one step of a model; None if none has said."""
        # The type stubs allow for scores too.
        workers: Any = await self._async_redis.zrange(WORKERS_KEY, 0, -1)
        if not workers:
            return None
        said = await self._async_redis.mget([capacity_key(worker.decode()) for worker in workers])
        known = [json.loads(capacity) for capacity in said if capacity]
        return max((capacity[model] for capacity in known if model in capacity), default=None)

    def _no_such_job(self, job_id: str) -> NotFound:
        return NotFound(f"there is no job {shorten(job_id)!r}; a job is kept for {self._ttl} seconds after it ended")

    async def close(self) -> None:
        """Let the connections go."""
        self._redis.close()
        await self._async_redis.aclose()


def _job(job_id: str, record: Mapping[str, str]) -> Job:
    request = json.loads(record["request"])
    return Job.model_validate(
        {
            "id": job_id,
            "status": record["status"],
            "model": record["model"],
            "kind": record["kind"],
            "created_at": record["created_at"],
            "started_at": record.get("started_at"),
            "finished_at": record.get("finished_at"),
            "expires_at": record.get("expires_at"),
            "request": request,
            "progress": {
                "fraction": record.get("fraction", 0.0),
                "graphs_done": record.get("graphs_done", 0),
                "num_graphs": request["num_graphs"],
            },
            "summary": json.loads(record.get("summary", "null")),
            "error": json.loads(record.get("error", "null")),
            "graphs": None,
            "links": {
                "self": f"/jobs/{job_id}",
                "events": f"/jobs/{job_id}/events",
                "graphs": f"/jobs/{job_id}/graphs",
                "model": f"/models/{record['model']}",
            },
        }
    )
