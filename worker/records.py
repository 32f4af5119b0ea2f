"""The worker's side of the job record: what it tells the API, and when.

Status changes are written at once, progress at most `PROGRESS_PER_SECOND` times a second. Every write is one script
in Redis, which does all or nothing: a job is never seen as succeeded without its graphs, and one that has ended never
changes again, whatever a worker that was thought dead still has to say.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from redis import Redis

from app.jobs.keys import WEBHOOKS_KEY, events_key, frames_key, graphs_key, record_key
from app.schemas import Graph, JobStatus, JobSummary, Problem, Trajectory
from models.generation import Progress

PROGRESS_PER_SECOND = 4
_MAX_EVENTS = 1_000
_IS_OVER, _SHALL_END = 0, 2
_FINAL = [status.value for status in JobStatus if status.is_final]
# Graphs are brought to Redis in pieces of so many, under a name of their own that nobody reads and that expires.
_GRAPHS_AT_ONCE = 256
_UNREAD_SECONDS = 600
# Keys: record, events, then pairs of what was brought before and of the name that it is to have. Arguments: event, its data, seconds that all is kept from now on
# (0: as before), then fields of the record and their values. Answers 0 if the job is over, 2 if it shall end.
_WRITE = f"""
local status = redis.call('HGET', KEYS[1], 'status')
if not status then return 0 end
for _, final in ipairs({{{str(_FINAL)[1:-1]}}}) do
    if status == final then return 0 end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('XADD', KEYS[2], 'MAXLEN', '~', {_MAX_EVENTS}, '*', 'event', ARGV[1], 'data', ARGV[2])
if ARGV[3] ~= '0' then
    if redis.call('HEXISTS', KEYS[1], 'webhook') == 1 then
        redis.call('ZADD', '{WEBHOOKS_KEY}', 0, string.sub(KEYS[1], {1 + len(record_key(""))}))
    end
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    redis.call('EXPIRE', KEYS[2], ARGV[3])
    for pair = 3, #KEYS, 2 do
        if redis.call('EXISTS', KEYS[pair]) == 1 then
            redis.call('RENAME', KEYS[pair], KEYS[pair + 1])
            redis.call('EXPIRE', KEYS[pair + 1], ARGV[3])
        end
    end
end
return 1 + redis.call('HEXISTS', KEYS[1], 'cancel_requested')
"""

# Key: a list. Arguments: how long it is before, the seconds it is kept, what comes next. Said twice, since the answer was
# lost, it is done once.
_PUSH = """
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return end
redis.call('RPUSH', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


class JobOver(Exception):
    """The job has ended, or expired, without this worker's doing."""


class Canceled(Exception):
    """A job whose owner wants no more of it."""


@dataclass(frozen=True)
class Result:
    """What a job leaves: its graphs, counts over them, and their ways if frames were kept."""

    graphs: Sequence[Graph]
    summary: JobSummary
    trajectories: Sequence[Trajectory]


class JobRecord:
    """One job's record.

    Every method that writes raises `JobOver`, and writes nothing, if the job is over. Those that say how it goes on,
    `start`, `progress` and `requeue`, raise `Canceled` if it shall not.
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
        self._script, self._push = redis.register_script(_WRITE), redis.register_script(_PUSH)
        self._last_progress = 0.0

    def requeue(self) -> None:
        """The job goes back to the queue, for another worker, which begins anew."""
        fields = {"status": JobStatus.QUEUED.value, "fraction": 0.0, "graphs_done": 0}
        self._go_on(fields, "status", {"status": JobStatus.QUEUED.value})

    def start(self) -> None:
        """The job is being computed."""
        fields = {"status": JobStatus.RUNNING.value, "started_at": _now().isoformat()}
        self._go_on(fields, "status", {"status": JobStatus.RUNNING.value})

    def progress(self, progress: Progress) -> None:
        """So much is done; most calls return without a word to Redis."""
        now = time.monotonic()
        if now - self._last_progress < 1 / PROGRESS_PER_SECOND:
            return
        self._last_progress = now
        fields = {"fraction": round(progress.fraction, 4), "graphs_done": progress.graphs_done}
        self._go_on(fields, "progress", fields)

    def succeed(self, graphs: Sequence[Graph], summary: JobSummary, trajectories: Sequence[Trajectory] = ()) -> None:
        """All graphs are there, and their ways if frames were kept."""
        self._end(JobStatus.SUCCEEDED, Result(graphs, summary, trajectories), fraction=1.0)

    def cancel(self, graphs: Sequence[Graph], summary: JobSummary, trajectories: Sequence[Trajectory] = ()) -> None:
        """Nobody wants the rest; these were finished before that."""
        self._end(JobStatus.CANCELED, Result(graphs, summary, trajectories))

    def fail(
        self,
        problem: Problem,
        graphs: Sequence[Graph] = (),
        summary: JobSummary | None = None,
        trajectories: Sequence[Trajectory] = (),
    ) -> None:
        """There will be no more graphs than these, for the reason given; none at all without a summary."""
        result = Result(graphs, summary, trajectories) if summary else None
        self._end(JobStatus.FAILED, result, said=problem, error=problem.model_dump_json())

    def _end(
        self, status: JobStatus, result: Result | None, *, said: BaseModel | None = None, **fields: float | str
    ) -> None:
        now, brought, summary = _now(), list[str](), result.summary if result else None
        fields |= {"finished_at": now.isoformat(), "expires_at": (now + timedelta(seconds=self._ttl)).isoformat()}
        if result:
            lines = [graph.model_dump_json() for graph in result.graphs]
            num_bytes = sum(len(line.encode()) + 1 for line in lines)
            fields |= {
                "summary": result.summary.model_dump_json(),
                "graphs_done": len(lines),
                "graphs_bytes": num_bytes,
            }
            brought += self._bring(lines, graphs_key(self._id))
            brought += self._bring(
                [trajectory.model_dump_json() for trajectory in result.trajectories], frames_key(self._id)
            )
        data = said or summary
        event = data.model_dump(mode="json") if data else {}
        self._write({"status": status.value, **fields}, status.value, event, ttl=self._ttl, brought=brought)
        self._on_end(status, summary)

    def _bring(self, lines: Sequence[str], wanted: str) -> list[str]:
        """Bring a list to Redis; the name that it has there for now, and the one that it is to have."""
        key = f"{wanted}:{uuid.uuid4().hex}"
        for start in range(0, len(lines), _GRAPHS_AT_ONCE):
            self._push([key], [start, _UNREAD_SECONDS, *lines[start : start + _GRAPHS_AT_ONCE]])
        return [key, wanted]

    def _go_on(self, fields: dict[str, Any], event: str, data: dict[str, Any]) -> None:
        if self._write(fields, event, data) == _SHALL_END:
            raise Canceled

    def _write(
        self,
        fields: Mapping[str, Any],
        event: str,
        data: Mapping[str, Any],
        *,
        ttl: int = 0,
        brought: Sequence[str] = (),
    ) -> int:
        keys = [record_key(self._id), events_key(self._id), *brought]
        flat = [part for field in fields.items() for part in field]
        answer = int(self._script(keys, [event, json.dumps(data), ttl, *flat]))
        if answer == _IS_OVER:
            raise JobOver
        return answer


def _now() -> datetime:
    return datetime.now(UTC)
