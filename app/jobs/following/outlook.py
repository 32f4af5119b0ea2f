"""How jobs stand, for many that are followed at once: a few questions to Redis for all of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.jobs.keys import events_key, record_key
from app.jobs.state import estimates
from app.schemas import JobProgress

_FIELDS = ("status", "owner", "cost", "flow", "started_at", "fraction", "graphs_done", "request")


@dataclass(frozen=True)
class Outlook:
    """How a job stands."""

    last_event: str
    """Id of the last event of its stream; empty if there is none."""
    progress: str | None
    """A `JobProgress` as JSON; None if there is no such job."""


async def read_outlooks(redis: AsyncRedis, job_ids: Sequence[str]) -> dict[str, Outlook]:
    """The outlook of each of the jobs."""
    async with redis.pipeline(transaction=False) as pipeline:
        for job_id in job_ids:
            pipeline.hmget(record_key(job_id), _FIELDS)
            pipeline.xrevrange(events_key(job_id), count=1)
        answers: list[Any] = await pipeline.execute()
    records = {
        job_id: {name: value.decode() for name, value in zip(_FIELDS, values, strict=True) if value is not None}
        for job_id, values in zip(job_ids, answers[::2], strict=True)
    }
    known = {job_id: record for job_id, record in records.items() if "request" in record}
    estimated = await estimates(redis, known)
    progress = {job_id: _progress(known[job_id] | estimated[job_id]) for job_id in known}
    return {
        job_id: Outlook(entries[0][0].decode() if entries else "", progress.get(job_id))
        for job_id, entries in zip(job_ids, answers[1::2], strict=True)
    }


def _progress(record: dict[str, str]) -> str:
    known = {"fraction": "0", "graphs_done": "0", **record, "num_graphs": json.loads(record["request"])["num_graphs"]}
    return JobProgress.model_validate({name: known.get(name) for name in JobProgress.model_fields}).model_dump_json()
