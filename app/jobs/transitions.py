"""Which status of a job may follow which, and what the end of a job leaves in its record.

    queued  -> running -> succeeded | failed | canceled
    running -> queued                 a worker that stops hands the job back

An ended job never changes again. The scripts hold to these tables: `change` in `scripts/lib/job.lua` reads the job's
status and refuses any other step, so nothing that a worker says after it was given up for dead has an effect.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from app.schemas import JobStatus

Transitions: TypeAlias = Mapping[JobStatus, frozenset[JobStatus]]

_QUEUED, _RUNNING = JobStatus.QUEUED, JobStatus.RUNNING
_ENDED = frozenset(status for status in JobStatus if status.is_final)

# What a worker may do. Every step repeats well, since Redis may have done it and its answer was lost. A second worker may
# start a job that is running: the first one lost its lease. The first one may still end the job that meanwhile is queued
# again: its graphs are the same. A worker gives up a queued job, too, if all who took it died before they began.
WORKER_TRANSITIONS: Transitions = {
    JobStatus.QUEUED: frozenset({_QUEUED, _RUNNING}) | _ENDED,
    JobStatus.RUNNING: frozenset({_QUEUED, _RUNNING}) | _ENDED,
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELED: frozenset(),
}
# What the API may do: it cancels a job that waits. It asks the worker to end one that runs.
API_TRANSITIONS: Transitions = {
    JobStatus.QUEUED: frozenset({JobStatus.CANCELED}),
    JobStatus.RUNNING: frozenset(),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELED: frozenset(),
}


def to_json(transitions: Transitions) -> str:
    """The table as scripts read it: `{from: {to: true}}`."""
    return json.dumps({before: dict.fromkeys(sorted(after), True) for before, after in transitions.items()})


def end_fields(status: JobStatus, *, ttl_seconds: int) -> dict[str, str]:
    """The fields of a record whose job ends now and is kept for `ttl_seconds`."""
    now = datetime.now(UTC)
    expires_at = now + timedelta(seconds=ttl_seconds)
    return {"status": status.value, "finished_at": now.isoformat(), "expires_at": expires_at.isoformat()}
