"""The queue of jobs: submit and cancel.

RQ is the transport: it brings a job to a worker once, and again if the worker dies. The truth about a job is our own
record, a hash that both sides write and that outlives RQ's own data, with a stream of events beside it (`app.jobs.keys`
names them). RQ messages are JSON, and name the one function that workers run.

A job that is canceled while it is queued ends at once. One that runs is ended by its worker. The worker hears of it from
Redis at once. Should that message be lost, it reads it in the record the next time that it writes there.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from app.http.errors import IdempotencyKeyReused, OwnerFull, QueueFull
from app.jobs import keys, lua, state
from app.jobs.keys import (
    BACKLOG_KEY,
    CLOCK_KEY,
    FLOWS_KEY,
    JOB_FUNCTION,
    JOBS_KEY,
    OWNER_PENDING_PREFIX,
    PENDING_KEY,
    QUEUE,
    RECORD_PREFIX,
    RQ_QUEUE_KEY,
    WAITING_KEY,
    WEBHOOKS_KEY,
    events_key,
    open_jobs_key,
    owner_jobs_key,
    owner_pending_key,
    record_key,
)
from app.jobs.leases import MAX_RETRIES
from app.jobs.observability.spans import trace_headers
from app.jobs.reading import IdempotencyKey, JobReader
from app.jobs.records import new_job_id, to_job
from app.jobs.reports import WorkerReport
from app.jobs.state import QueueLimits, QueueState
from app.jobs.transitions import API_TRANSITIONS, end_fields, to_json
from app.schemas import AnyCompletedRequest, Job, JobStatus

# RQ keeps nothing that we need, but deletes at once (0) only jobs that never lost a worker.
_RQ_TTL_SECONDS = 60
# A job that never ends expires all the same.
_MAX_JOB_AGE_SECONDS = 30 * 86_400
_IDEMPOTENCY_SECONDS = 86_400
_MIN_COST_SECONDS = 1e-6
_TRANSITIONS = to_json(API_TRANSITIONS)
_QUEUE_KEYS = {
    "rq_queue": RQ_QUEUE_KEY,
    "pending": PENDING_KEY,
    "waiting_owners": WAITING_KEY,
    "flows": FLOWS_KEY,
    "backlog": BACKLOG_KEY,
}


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


class JobQueue(JobReader):
    """The jobs of one Redis, for those who submit them too.

    Methods that only read are coroutines; those that write block for a fraction of a millisecond.
    """

    def __init__(
        self,
        redis: Redis,
        async_redis: AsyncRedis,
        *,
        job_timeout_seconds: int,
        job_ttl_seconds: int,
        limits: QueueLimits | None = None,
    ) -> None:
        super().__init__(async_redis, job_ttl_seconds=job_ttl_seconds)
        self._redis = redis
        self._timeout, self._limits = job_timeout_seconds, limits or QueueLimits()
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        self._submit, self._cancel = lua.load(redis, "submit"), lua.load(redis, "cancel")

    def submit(
        self,
        request: AnyCompletedRequest,
        *,
        cost: float = 1.0,
        owner: str = "",
        idempotency_key: IdempotencyKey | None = None,
        request_id: str = "",
    ) -> Submission:
        """Queue a job of `cost` seconds of work; `request_id` is for the worker's log, and the current span for its traces.

        Raises:
            QueueFull: if as many jobs wait as may.
            OwnerFull: if the owner has as many jobs, or as much work, as one may.
            IdempotencyKeyReused: if the idempotency key came with another body before.
        """
        job_id, now = new_job_id(), datetime.now(UTC)
        record = _record(request, owner, now)
        message = self._message(job_id, request, now, {"request_id": request_id, "owner": owner})
        cost = max(cost, _MIN_COST_SECONDS)
        outcome, detail, *more = self._submit(
            keys={**_submission_keys(job_id, owner, idempotency_key), "rq_job": message.key},
            args={
                "job_id": job_id,
                "cost": cost,
                "flow": f"{owner}:{request.priority}",
                "weight": request.priority.weight,
                "owner": owner,
                "max_waiting": self._limits.queued_jobs,
                "max_owner_jobs": self._limits.owner_jobs,
                "max_owner_seconds": self._limits.owner_seconds,
                "seconds_kept": _MAX_JOB_AGE_SECONDS,
                "body": idempotency_key.body if idempotency_key else "",
                "seconds_key_kept": _IDEMPOTENCY_SECONDS,
                "oldest_id": new_job_id(now.timestamp() - _MAX_JOB_AGE_SECONDS),
                "record_prefix": RECORD_PREFIX,
                "fields": lua.pack_map(record),
                "message": lua.pack_map(message.to_dict()),
                "status_data": json.dumps({"status": JobStatus.QUEUED.value}),
            },
        )
        match outcome:
            case b"full":
                raise QueueFull(f"the queue is full: {detail.decode()} jobs are waiting")
            case b"owner_jobs" | b"owner_seconds":
                raise _owner_full(self._limits, int(detail), float(more[0]), cost=cost, num_graphs=request.num_graphs)
            case b"key_reused":
                raise IdempotencyKeyReused("this Idempotency-Key came with another request before; choose a new one")
            case _:
                return Submission(detail.decode(), to_job(job_id, record) if outcome == b"queued" else None)

    def _message(self, job_id: str, request: AnyCompletedRequest, now: datetime, metadata: Mapping[str, str]) -> RqJob:
        """What RQ brings to a worker."""
        message = self._queue.create_job(
            JOB_FUNCTION,
            args=(job_id, request.model_dump(mode="json")),
            job_id=job_id,
            timeout=self._timeout,
            result_ttl=_RQ_TTL_SECONDS,
            failure_ttl=_RQ_TTL_SECONDS,
            retry=Retry(max=MAX_RETRIES),
            meta={**metadata, **trace_headers()},
        )
        message.enqueued_at = now
        return message

    def cancel(self, job_id: str) -> None:
        """End a job before its time; one that has ended stays as it is. A running one ends within a step or two.

        Raises:
            NotFound: if there is none, or it has expired.
        """
        status = self._cancel(
            keys={
                **_QUEUE_KEYS,
                "record": record_key(job_id),
                "events": events_key(job_id),
                "rq_job": RqJob.key_for(job_id),
                "webhooks": WEBHOOKS_KEY,
            },
            args={
                "job_id": job_id,
                "running": JobStatus.RUNNING.value,
                "transitions": _TRANSITIONS,
                "fields": lua.pack_map(end_fields(JobStatus.CANCELED, ttl_seconds=self._ttl)),
                "event": JobStatus.CANCELED.value,
                "data": json.dumps({}),
                "seconds_kept": self._ttl,
                "owner_pending_prefix": OWNER_PENDING_PREFIX,
            },
        )
        if status is None:
            raise self._no_such_job(job_id)
        if status.decode() == JobStatus.RUNNING:
            # The worker may be dead, or done a moment ago: then there is no worker to notify.
            with suppress(NoSuchJobError, InvalidJobOperation):
                send_stop_job_command(self._redis, job_id, serializer=JSONSerializer)

    def state(self) -> QueueState:
        """How the queue is now."""
        return state.read_state(self._redis, limit=self._limits.queued_jobs)

    async def num_workers(self) -> int:
        """Workers that were heard of in the last few seconds."""
        return await state.num_workers(self._async_redis)

    async def workers(self) -> list[WorkerReport]:
        """What the workers say of themselves."""
        return await state.worker_reports(self._async_redis)

    async def seconds_until_room(self) -> float:
        """About how long until a tenth of the queue has been computed, at least a second."""
        return await state.seconds_until_room(self._async_redis)

    async def seconds_until_done(self, work: float) -> float:
        """About how long until so many seconds of work have been done, at least a second."""
        return await state.seconds_until_done(self._async_redis, work)

    async def close(self) -> None:
        """Let the followers and the connections go."""
        await self.hub.close()
        self._redis.close()
        await self._async_redis.aclose()


def _submission_keys(job_id: str, owner: str, idempotency_key: IdempotencyKey | None) -> dict[str, str]:
    """What `submit.lua` writes, but for RQ's message."""
    return {
        **_QUEUE_KEYS,
        "record": record_key(job_id),
        "events": events_key(job_id),
        "clock": CLOCK_KEY,
        "all_jobs": JOBS_KEY,
        "owner_jobs": owner_jobs_key(owner),
        "owner_pending": owner_pending_key(owner),
        "open": open_jobs_key(owner),
        "idempotency": keys.idempotency_key(owner, idempotency_key.key if idempotency_key else ""),
    }


def _record(request: AnyCompletedRequest, owner: str, now: datetime) -> dict[str, str]:
    """The record of a job that is about to be queued; the script adds its cost and its turn."""
    return {
        "status": JobStatus.QUEUED.value,
        "model": request.model,
        "kind": request.kind,
        "owner": owner,
        "created_at": now.isoformat(),
        "request": request.model_dump_json(),
        **({"webhook": str(request.webhook)} if request.webhook else {}),
    }


def _owner_full(limits: QueueLimits, jobs: int, seconds: float, *, cost: float, num_graphs: int) -> OwnerFull:
    """The refusal of a job of `cost` seconds: its owner has so many jobs, which are so many seconds of work."""
    have = f"{jobs} of your jobs wait or run, about {seconds:,.0f} s of work"
    if jobs >= limits.owner_jobs:
        return OwnerFull(
            f"{have}; DIGRESS_MAX_OWNER_JOBS allows {limits.owner_jobs} jobs: wait until one has ended, or cancel one",
            reason="owner_jobs",
            excess=seconds / jobs,
        )
    room = max(limits.owner_seconds - seconds, 0.0)
    fitting = int(num_graphs * room / cost)
    instead = f"{fitting} graphs of this kind would fit now" if fitting else "wait until one has ended, or cancel one"
    return OwnerFull(
        f"{have}, and this one is {cost:,.0f} s; DIGRESS_MAX_OWNER_SECONDS allows {limits.owner_seconds:,.0f} s: {instead}",
        reason="owner_seconds",
        excess=cost - room,
    )
