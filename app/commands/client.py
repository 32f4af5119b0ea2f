"""Jobs of a digress-serve, over HTTP.

Nothing is done twice if the connection fails: a submission has an idempotency key, events resume after the last one
received, and graphs are read again from the beginning.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx2
from pydantic import BaseModel

from app.commands.connection import Connection, RetryLimits
from app.pictures.formats import Format
from app.schemas import JobProgress, JobStatus, JobSummary, Problem
from models.card.config import Domain

# After so long without an event, the job is polled for its position in the queue.
_POLL_SECONDS = 10.0
_RECONNECT_SECONDS = 1.0
_RETRY_LIMITS = RetryLimits()


class RemoteJob(BaseModel):
    """The fields of a job that are needed here; a newer server may send more."""

    id: str
    status: JobStatus
    progress: JobProgress
    summary: JobSummary | None
    error: Problem | None


class RemoteCard(BaseModel):
    """The fields of a model card that are needed here."""

    domain: Domain


class Client:
    """The requests of `digress generate`; all methods raise as `Connection.request` does."""

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        self._connection = connection

    def card(self, model: str) -> RemoteCard:
        """The card of a model."""
        return self._connection.request(RemoteCard, "GET", f"/models/{quote(model, safe='')}")

    def submit(self, body: Mapping[str, Any]) -> RemoteJob:
        """Submit a request; a conditional one if it has `targets`."""
        path = "/generate/conditional" if "targets" in body else "/generate"
        headers = {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"}
        return self._connection.request(RemoteJob, "POST", path, content=json.dumps(body), headers=headers)

    def job(self, job_id: str) -> RemoteJob:
        """The present state of a job."""
        return self._connection.request(RemoteJob, "GET", _path(job_id), params={"graphs": "false"})

    def follow(self, job: RemoteJob, show: Callable[[RemoteJob], None]) -> RemoteJob:
        """Wait until the job has ended; `show` is called with every change."""
        last_event = ""
        while not job.status.is_final:
            show(job)
            last_event = self._listen(job, last_event, show)
            job = self.job(job.id)
        return job

    def copy_graphs(self, job_id: str, form: Format, file: BinaryIO) -> None:
        """Write all graphs of an ended job into an empty file."""

        def copy() -> None:
            file.seek(0)
            file.truncate()
            with self._connection.read(f"{_path(job_id)}/graphs", format=form) as chunks:
                file.writelines(chunks)

        self._connection.with_retries(copy)

    def _listen(self, job: RemoteJob, last_event: str, show: Callable[[RemoteJob], None]) -> str:
        """Show the events of a job until it has ended, or none arrives for a while; returns the id of the last event."""
        try:
            with self._connection.events(
                f"{_path(job.id)}/events", after=last_event, timeout_seconds=_POLL_SECONDS
            ) as events:
                for event in events:
                    last_event, data = event.id, json.loads(event.data)
                    match event.event:
                        case "status":
                            job = job.model_copy(update={"status": JobStatus(data["status"])})
                        case "progress":
                            job = job.model_copy(update={"progress": job.progress.model_copy(update=data)})
                        case _:
                            return last_event
                    show(job)
        except httpx2.ReadTimeout:
            return last_event
        except httpx2.RequestError:
            pass  # polling the job will show whether the server is reachable
        time.sleep(_RECONNECT_SECONDS)
        return last_event


@contextmanager
def connected(url: str, api_key: str | None, limits: RetryLimits = _RETRY_LIMITS) -> Iterator[Client]:
    """A client of the server at a URL.

    Raises:
        CommandError: if the URL or the key is invalid.
    """
    connection = Connection(url, api_key, limits)
    try:
        yield Client(connection)
    finally:
        connection.close()


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"
