"""How the queue stands: what waits, who works, and about when a job's turn comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.jobs import lua
from app.jobs.estimates import Ahead, until_done, until_end
from app.jobs.keys import (
    BACKLOG_KEY,
    PENDING_KEY,
    RQ_QUEUE_KEY,
    RQ_STARTED_KEY,
    WORKERS_KEY,
    open_jobs_key,
    owner_pending_key,
    worker_key,
)
from app.jobs.leases import WORKER_SILENCE_SECONDS
from app.jobs.records import created_at
from app.jobs.reports import WorkerReport
from app.schemas import JobStatus, Priority

# When to retry at a full queue whose throughput is unknown.
_DEFAULT_RETRY_SECONDS = 30.0


@dataclass(frozen=True)
class QueueLimits:
    """The most that the queue takes: of all, and of one owner."""

    queued_jobs: int = 10_000
    """Jobs that wait."""
    owner_jobs: int = 2_000
    """Jobs of one owner that wait or run."""
    owner_seconds: float = 86_400.0
    """Seconds of work that these are; one job may be more."""


@dataclass(frozen=True)
class QueueState:
    """The queue as a whole."""

    waiting: int
    running: int
    oldest_seconds: float
    """Age of the job that waits longest."""
    backlog_seconds: float
    """Work that waits, by the workers' pace."""
    limit: int
    workers: int


def read_state(redis: Redis, *, limit: int) -> QueueState:
    """How the queue is now, if `limit` jobs may wait."""
    seconds, _ = redis.time()
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.llen(RQ_QUEUE_KEY)
        pipeline.zcard(PENDING_KEY)
        pipeline.zcard(RQ_STARTED_KEY)
        pipeline.get(BACKLOG_KEY)
        pipeline.zcount(WORKERS_KEY, seconds - WORKER_SILENCE_SECONDS, "+inf")
        in_rq, pending, running, backlog, workers = pipeline.execute()
    oldest = lua.load(redis, "oldest")(keys={"rq_queue": RQ_QUEUE_KEY, "pending": PENDING_KEY})
    age = seconds - created_at(oldest.decode()) if oldest else 0.0
    return QueueState(in_rq + pending, running, max(age, 0.0), float(backlog or 0), limit, workers)


async def num_workers(redis: AsyncRedis) -> int:
    """Workers that were heard of in the last few seconds."""
    seconds, _ = await redis.time()
    return int(await redis.zcount(WORKERS_KEY, seconds - WORKER_SILENCE_SECONDS, "+inf"))


async def worker_reports(redis: AsyncRedis) -> list[WorkerReport]:
    """What the workers say of themselves."""
    # The type stubs allow for scores too.
    names: Any = await redis.zrange(WORKERS_KEY, 0, -1)
    reports = await redis.mget([worker_key(name.decode()) for name in names]) if names else []
    return [WorkerReport.model_validate_json(report) for report in reports if report]


async def seconds_until_room(redis: AsyncRedis) -> float:
    """About how long until a tenth of the queue has been computed, at least a second."""
    backlog = await redis.get(BACKLOG_KEY)
    return await seconds_until_done(redis, float(backlog or 0) / 10)


async def seconds_until_done(redis: AsyncRedis, work: float) -> float:
    """About how long until so much work has been done, after what the workers have taken; at least a second."""
    seconds = until_done(work, await worker_reports(redis))
    return max(seconds or _DEFAULT_RETRY_SECONDS, 1.0)


async def estimates(redis: AsyncRedis, records: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Each job's `position` in the queue and `eta_seconds`, as fields of its record; those that are known."""
    queued = {job_id: record for job_id, record in records.items() if record["status"] == JobStatus.QUEUED}
    places = await _places_in_queue(redis, queued) if queued else {}
    workers = await worker_reports(redis) if queued else []
    return {job_id: _estimate(record, places.get(job_id), workers) for job_id, record in records.items()}


def _estimate(
    record: Mapping[str, str], place: tuple[int | None, Ahead] | None, workers: Sequence[WorkerReport]
) -> dict[str, str]:
    position = seconds = None
    if place is not None:
        position, ahead = place
        weight = Priority(record["flow"].rpartition(":")[2]).weight
        seconds = until_done(float(record["cost"]), workers, ahead=ahead, weight=weight)
    elif record["status"] == JobStatus.RUNNING:
        seconds = until_end(datetime.fromisoformat(record["started_at"]), float(record.get("fraction", 0)))
    fields = {} if position is None else {"position": str(position)}
    return fields if seconds is None else fields | {"eta_seconds": f"{seconds:.1f}"}


async def _places_in_queue(
    redis: AsyncRedis, records: Mapping[str, Mapping[str, str]]
) -> dict[str, tuple[int | None, Ahead]]:
    """For each job how many are taken before it, and about how much work they are."""
    owners = sorted({record["owner"] for record in records.values()})
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.lrange(RQ_QUEUE_KEY, 0, -1)
        pipeline.zcard(PENDING_KEY)
        pipeline.get(BACKLOG_KEY)
        for owner in owners:
            pipeline.hget(open_jobs_key(owner), "all")
            pipeline.hlen(open_jobs_key(owner))
        for job_id, record in records.items():
            pipeline.zrank(PENDING_KEY, job_id)
            pipeline.zrank(owner_pending_key(record["owner"]), job_id)
        in_rq, waiting, backlog, *answers = await pipeline.execute()
    of_owners, ranks = answers[: 2 * len(owners)], answers[2 * len(owners) :]
    mean_own = {
        owner: float(work or 0) / max(number - 1, 1)
        for owner, work, number in zip(owners, of_owners[::2], of_owners[1::2], strict=True)
    }
    places: dict[str, tuple[int | None, Ahead]] = {}
    for (job_id, record), rank, own_rank in zip(records.items(), ranks[::2], ranks[1::2], strict=True):
        if job_id.encode() in in_rq:
            places[job_id] = in_rq.index(job_id.encode()), Ahead()
        elif rank is None:
            places[job_id] = None, Ahead()  # a worker has just taken it
        else:
            work, own_rank = float(backlog or 0) * rank / waiting, own_rank or 0
            own = min(mean_own[record["owner"]] * own_rank, work)
            places[job_id] = len(in_rq) + rank, Ahead(own=own, others=work - own, num_others=rank - own_rank)
    return places
