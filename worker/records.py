"""The worker's side of the job record: what it tells the API, and when.

Status changes are written at once, progress at most `PROGRESS_PER_SECOND` times a second. Every write is one
transaction: a job is never seen as succeeded without its graphs, and one that has ended never changes again, whatever
a worker that was thought dead still has to say.
"""

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from redis.client import Pipeline

from app.schemas import Graph, JobStatus, JobSummary, Problem, events_key, graphs_key, record_key
from models.generation import Progress

PROGRESS_PER_SECOND = 4
_MAX_EVENTS = 1_000


class JobOver(Exception):
    """The job has ended, or expired, without this worker's doing."""


class JobRecord:
    """One job's record. Every method that writes raises `JobOver`, and writes nothing, if the job is over."""

    def __init__(self, redis: Redis, job_id: str, *, ttl_seconds: int) -> None:
        self._redis, self._id, self._ttl = redis, job_id, ttl_seconds
        self._last_progress = 0.0

    def start(self) -> None:
        """The job is being computed."""
        fields = {"status": JobStatus.RUNNING.value, "started_at": _now().isoformat()}
        self._write(fields, "status", {"status": JobStatus.RUNNING.value})

    def progress(self, progress: Progress) -> None:
        """So much is done; most calls return without a word to Redis."""
        now = time.monotonic()
        if now - self._last_progress < 1 / PROGRESS_PER_SECOND:
            return
        self._last_progress = now
        fields = {"fraction": round(progress.fraction, 4), "graphs_done": progress.graphs_done}
        self._write(fields, "progress", fields)

    def succeed(self, graphs: Sequence[Graph], summary: JobSummary) -> None:
        """All graphs are there."""
        result = json.dumps([graph.model_dump(mode="json") for graph in graphs], separators=(",", ":"))
        fields = {"fraction": 1.0, "graphs_done": len(graphs), "summary": summary.model_dump_json()}
        self._end(JobStatus.SUCCEEDED, fields, summary.model_dump(mode="json"), result)

    def fail(self, problem: Problem) -> None:
        """There will be no graphs, for the reason given."""
        self._end(JobStatus.FAILED, {"error": problem.model_dump_json()}, problem.model_dump(mode="json"))

    def _end(self, status: JobStatus, fields: dict[str, Any], data: dict[str, Any], result: str | None = None) -> None:
        now = _now()
        times = {"finished_at": now.isoformat(), "expires_at": (now + timedelta(seconds=self._ttl)).isoformat()}

        def remember(pipeline: Pipeline) -> None:
            if result is not None:
                pipeline.set(graphs_key(self._id), result, ex=self._ttl)
            pipeline.expire(record_key(self._id), self._ttl)
            pipeline.expire(events_key(self._id), self._ttl)

        self._write({"status": status.value, **times, **fields}, status.value, data, remember)

    def _write(
        self,
        fields: dict[Any, Any],
        event: str,
        data: dict[str, Any],
        and_then: Callable[[Pipeline], None] = lambda _: None,
    ) -> None:
        entry: dict[Any, Any] = {"event": event, "data": json.dumps(data)}

        def write(pipeline: Pipeline) -> None:
            # The record is watched: should another worker change it meanwhile, redis-py begins again from here.
            status = pipeline.hget(record_key(self._id), "status")
            if not isinstance(status, bytes) or JobStatus(status.decode()).is_final:
                raise JobOver
            pipeline.multi()
            pipeline.hset(record_key(self._id), mapping=fields)
            pipeline.xadd(events_key(self._id), entry, maxlen=_MAX_EVENTS, approximate=True)
            and_then(pipeline)

        self._redis.transaction(write, record_key(self._id))


def _now() -> datetime:
    return datetime.now(UTC)
