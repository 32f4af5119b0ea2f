"""The record of a job: its id, and the job that its fields in Redis describe."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from app.schemas import Job

# Graphs are read from Redis in batches of about so many bytes, and of at most so many graphs.
_BATCH_BYTES = 128_000
_LARGEST_BATCH = 256


@dataclass(frozen=True)
class StoredJob:
    """A job as Redis has it: without its graphs, and the graphs as the worker wrote them, each as JSON.

    `graphs` is None if they were not asked for, or are too many for one answer, or are not there yet; or if they are large, and are
    to be read in parts: then it `has_more`.
    """

    job: Job
    graphs: list[bytes] | None
    num_graphs: int = 0
    graphs_bytes: int = 0
    has_more: bool = False

    @property
    def batch_size(self) -> int:
        """How many graphs are read at once."""
        mean = self.graphs_bytes / max(self.num_graphs, 1)
        return max(min(int(_BATCH_BYTES / max(mean, 1)), _LARGEST_BATCH), 1)

    def to_json(self) -> bytes:
        """The job with those graphs that are here; they are put in as they are, never parsed."""
        graphs = b"null" if self.graphs is None else b"[" + b",".join(self.graphs) + b"]"
        return self.head() + graphs + b"}"

    def head(self) -> bytes:
        """What comes before the graphs."""
        document = self.job.model_dump_json(exclude={"graphs"}).encode()
        return document[:-1] + b',"graphs":'


def to_job(job_id: str, record: Mapping[str, str]) -> Job:
    """The job that a record describes, without its graphs."""
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
                "position": record.get("position"),
                "eta_seconds": record.get("eta_seconds"),
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


def decode_fields(record: Mapping[bytes, bytes]) -> dict[str, str]:
    """The fields of a record as text."""
    return {name.decode(): value.decode() for name, value in record.items()}


def new_job_id(seconds: float | None = None) -> str:
    """An id that sorts by its time, now or the one given: milliseconds, then chance, in hexadecimal digits."""
    return f"{int(1000 * (time.time() if seconds is None else seconds)):012x}{secrets.token_hex(10)}"


def created_at(job_id: str) -> float:
    """When a job was made, in seconds since 1970, by its id; 0 if the id is not one of ours."""
    try:
        return int(job_id[:12], 16) / 1000
    except ValueError:
        return 0.0
