"""The worker's side of the job record: what it tells the API, and when.

Status changes are written at once, progress at most `PROGRESS_PER_SECOND` times a second. The result and the final
status go into one transaction, so a job is never seen as succeeded without its graphs.
"""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from app.schemas import Graph, JobStatus, JobSummary, Problem, events_key, graphs_key, record_key
from models.generation import Progress

PROGRESS_PER_SECOND = 4
_MAX_EVENTS = 1_000


class JobRecord:
    """One job's record."""

    def __init__(self, redis: Redis, job_id: str, *, ttl_seconds: int) -> None:
        self._redis, self._id, self._ttl = redis, job_id, ttl_seconds
        self._last_progress = 0.0

    def status(self) -> JobStatus | None:
        """Where the job is; None if the API knows no such job, or no longer."""
        status = self._redis.hget(record_key(self._id), "status")
        return JobStatus(status.decode()) if isinstance(status, bytes) else None

    def start(self) -> None:
        """The job is being computed."""
        with self._redis.pipeline() as pipeline:
            fields = {"status": JobStatus.RUNNING.value, "started_at": _now().isoformat()}
            self._write(pipeline, fields, "status", {"status": JobStatus.RUNNING.value})
            pipeline.execute()

    def progress(self, progress: Progress) -> None:
        """So much is done; most calls return without a word to Redis."""
        now = time.monotonic()
        if now - self._last_progress < 1 / PROGRESS_PER_SECOND:
            return
        self._last_progress = now
        fields = {"fraction": round(progress.fraction, 4), "graphs_done": progress.graphs_done}
        with self._redis.pipeline() as pipeline:
            self._write(pipeline, fields, "progress", fields)
            pipeline.execute()

    def succeed(self, graphs: Sequence[Graph], summary: JobSummary) -> None:
        """All graphs are there."""
        result = json.dumps([graph.model_dump(mode="json") for graph in graphs], separators=(",", ":"))
        with self._redis.pipeline() as pipeline:
            pipeline.set(graphs_key(self._id), result, ex=self._ttl)
            fields = {"fraction": 1.0, "graphs_done": len(graphs), "summary": summary.model_dump_json()}
            self._end(pipeline, JobStatus.SUCCEEDED, fields, summary.model_dump(mode="json"))
            pipeline.execute()

    def fail(self, problem: Problem) -> None:
        """There will be no graphs, for the reason given."""
        with self._redis.pipeline() as pipeline:
            self._end(pipeline, JobStatus.FAILED, {"error": problem.model_dump_json()}, problem.model_dump(mode="json"))
            pipeline.execute()

    def _end(self, pipeline: Pipeline, status: JobStatus, fields: dict[str, Any], data: dict[str, Any]) -> None:
        now = _now()
        times = {"finished_at": now.isoformat(), "expires_at": (now + timedelta(seconds=self._ttl)).isoformat()}
        self._write(pipeline, {"status": status.value, **times, **fields}, status.value, data)
        pipeline.expire(record_key(self._id), self._ttl)
        pipeline.expire(events_key(self._id), self._ttl)

    def _write(self, pipeline: Pipeline, fields: dict[Any, Any], event: str, data: dict[str, Any]) -> None:
        pipeline.hset(record_key(self._id), mapping=fields)
        pipeline.xadd(
            events_key(self._id), {"event": event, "data": json.dumps(data)}, maxlen=_MAX_EVENTS, approximate=True
        )


def _now() -> datetime:
    return datetime.now(UTC)
