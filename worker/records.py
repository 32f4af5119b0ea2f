"""The worker's side of a job's record: what it tells the API, and when.

Status changes are written at once, progress at most `PROGRESS_PER_SECOND` times a second. Every write is one script in
Redis, which does all or nothing (`app/jobs/scripts`): a job is never seen as succeeded without its graphs, and one that
has ended never changes again, whatever a worker that was given up for dead still has to say (`app.jobs.transitions`).
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from redis import Redis

from app.jobs import lua
from app.jobs.keys import WEBHOOKS_KEY, events_key, frames_key, graphs_key, record_key
from app.jobs.transitions import WORKER_TRANSITIONS, end_fields, to_json
from app.schemas import Graph, JobStatus, JobSummary, Problem, Trajectory
from models.generation import Progress

PROGRESS_PER_SECOND = 4
_TRANSITIONS = to_json(WORKER_TRANSITIONS)
# Results are uploaded in parts of so many lines, under a name that nobody reads and that expires.
_LINES_PER_UPLOAD = 256
_UPLOAD_TTL_SECONDS = 600


class JobOver(Exception):
    """The job has ended, or expired, without this worker's doing."""


class Canceled(Exception):
    """A job whose owner wants no more of it."""


@dataclass(frozen=True)
class Result:
    """What a job leaves: its graphs, counts over them, and their trajectories if frames were kept."""

    graphs: Sequence[Graph]
    summary: JobSummary
    trajectories: Sequence[Trajectory]


class JobRecord:
    """One job's record.

    Every method that writes raises `JobOver`, and writes nothing, if the job is over. Those that say how it goes on,
    `start`, `progress` and `requeue`, raise `Canceled` if it has to end.
    """

    def __init__(
        self,
        redis: Redis,
        job_id: str,
        *,
        ttl_seconds: int,
        on_end: Callable[[JobStatus, JobSummary | None], None] = lambda status, summary: None,
    ) -> None:
        """`on_end` is called once the end of the job has been written."""
        self._on_end = on_end
        self._id, self._ttl = job_id, ttl_seconds
        self._update_script, self._finish_script = lua.load(redis, "update"), lua.load(redis, "finish")
        self._append_script = lua.load(redis, "append")
        self._last_progress = 0.0

    def requeue(self) -> None:
        """The job goes back to the queue, for another worker, which begins anew."""
        fields: dict[str, lua.Value] = {"status": JobStatus.QUEUED.value, "fraction": 0.0, "graphs_done": 0}
        self._update(fields, "status", {"status": JobStatus.QUEUED.value})

    def start(self) -> None:
        """The job is being computed."""
        fields = {"status": JobStatus.RUNNING.value, "started_at": datetime.now(UTC).isoformat()}
        self._update(fields, "status", {"status": JobStatus.RUNNING.value})

    def progress(self, progress: Progress) -> None:
        """So much is done; most calls return without a word to Redis."""
        now = time.monotonic()
        if now - self._last_progress < 1 / PROGRESS_PER_SECOND:
            return
        self._last_progress = now
        fields = {"fraction": round(progress.fraction, 4), "graphs_done": progress.graphs_done}
        self._update(fields, "progress", fields)

    def succeed(self, graphs: Sequence[Graph], summary: JobSummary, trajectories: Sequence[Trajectory] = ()) -> None:
        """All graphs are there, and their trajectories if frames were kept."""
        self._finish(JobStatus.SUCCEEDED, Result(graphs, summary, trajectories), fraction=1.0)

    def cancel(self, graphs: Sequence[Graph], summary: JobSummary, trajectories: Sequence[Trajectory] = ()) -> None:
        """Nobody wants the rest; these were finished before that."""
        self._finish(JobStatus.CANCELED, Result(graphs, summary, trajectories))

    def fail(
        self,
        problem: Problem,
        graphs: Sequence[Graph] = (),
        summary: JobSummary | None = None,
        trajectories: Sequence[Trajectory] = (),
    ) -> None:
        """There will be no more graphs than these, for the reason given; none at all without a summary."""
        result = Result(graphs, summary, trajectories) if summary else None
        self._finish(JobStatus.FAILED, result, event_data=problem, error=problem.model_dump_json())

    def _update(self, fields: Mapping[str, lua.Value], event: str, data: Mapping[str, Any]) -> None:
        answer = self._update_script(
            keys={"record": record_key(self._id), "events": events_key(self._id)}, args=_change(fields, event, data)
        )
        if answer == b"over":
            raise JobOver
        if answer == b"cancel_requested":
            raise Canceled

    def _finish(
        self, status: JobStatus, result: Result | None, *, event_data: BaseModel | None = None, **fields: float | str
    ) -> None:
        fields |= end_fields(status, ttl_seconds=self._ttl)
        summary = result.summary if result else None
        graphs, frames = graphs_key(self._id), frames_key(self._id)
        upload = uuid.uuid4().hex
        keys = {
            "record": record_key(self._id),
            "events": events_key(self._id),
            "webhooks": WEBHOOKS_KEY,
            "uploaded_graphs": f"{graphs}:{upload}",
            "graphs": graphs,
            "uploaded_frames": f"{frames}:{upload}",
            "frames": frames,
        }
        if result:
            lines = [graph.model_dump_json() for graph in result.graphs]
            fields |= {
                "summary": result.summary.model_dump_json(),
                "graphs_done": len(lines),
                "graphs_bytes": sum(len(line.encode()) + 1 for line in lines),
            }
            self._upload(lines, keys["uploaded_graphs"])
            self._upload([each.model_dump_json() for each in result.trajectories], keys["uploaded_frames"])
        data = event_data or summary
        change = _change(fields, status.value, data.model_dump(mode="json") if data else {})
        answer = self._finish_script(keys=keys, args={**change, "job_id": self._id, "seconds_kept": self._ttl})
        if answer == b"over":
            raise JobOver
        self._on_end(status, summary)

    def _upload(self, lines: Sequence[str], key: str) -> None:
        """Bring a list to Redis, part by part; there is none without lines."""
        for start in range(0, len(lines), _LINES_PER_UPLOAD):
            self._append(key, lines[start : start + _LINES_PER_UPLOAD], length=start)

    def _append(self, key: str, lines: Sequence[str], *, length: int) -> None:
        """Append to a list that has `length` lines; done once, however often it is sent."""
        args: dict[str, lua.Value] = {
            "length": length,
            "values": lua.pack_list(lines),
            "seconds_kept": _UPLOAD_TTL_SECONDS,
        }
        self._append_script(keys={"list": key}, args=args)


def _change(fields: Mapping[str, lua.Value], event: str, data: Mapping[str, Any]) -> dict[str, lua.Value]:
    """The arguments that `update` and `finish` share."""
    return {
        "transitions": _TRANSITIONS,
        "fields": lua.pack_map(fields),
        "event": event,
        "data": json.dumps(data),
    }
