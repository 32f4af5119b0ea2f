"""Jobs of a digress-serve somewhere else, over HTTP.

Whatever is lost on the way, nothing is done twice: a submission has an idempotency key, the events of a job go on after
the last one that was seen, and graphs are read from their beginning.
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

from app.commands.connection import Connection, Patience
from app.pictures.formats import Format
from app.schemas import JobProgress, JobStatus, JobSummary, Problem
from models.card.config import Domain

# Without a word of a job for so long, its place in the queue is asked for.
_QUIET_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_PATIENCE = Patience()


class RemoteJob(BaseModel):
    """What is needed here of a job; there may be more to it, if the server is a newer one."""

    id: str
    status: JobStatus
    progress: JobProgress
    summary: JobSummary | None
    error: Problem | None


class RemoteCard(BaseModel):
    """What is needed here of a model's card."""

    domain: Domain


class Client:
    """What `digress generate` asks of a server; its methods raise as `Connection.ask` does."""

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        self._connection = connection

    def card(self, model: str) -> RemoteCard:
        """The card of a model."""
        return self._connection.ask(RemoteCard, "GET", f"/models/{quote(model, safe='')}")

    def submit(self, body: Mapping[str, Any]) -> RemoteJob:
        """Ask for graphs; if there are `targets` in it, for graphs near these."""
        path = "/generate/conditional" if "targets" in body else "/generate"
        headers = {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"}
        return self._connection.ask(RemoteJob, "POST", path, content=json.dumps(body), headers=headers)

    def job(self, job_id: str) -> RemoteJob:
        """A job as it is now."""
        return self._connection.ask(RemoteJob, "GET", _path(job_id), params={"graphs": "false"})

    def follow(self, job: RemoteJob, show: Callable[[RemoteJob], None]) -> RemoteJob:
        """The job once it has ended; it is shown on its way."""
        last_event = ""
        while not job.status.is_final:
            show(job)
            last_event = self._listen(job, last_event, show)
            job = self.job(job.id)
        return job

    def copy_graphs(self, job_id: str, form: Format, file: BinaryIO) -> None:
        """Write all graphs of a job that has ended into a file that is empty."""

        def copy() -> None:
            file.seek(0)
            file.truncate()
            with self._connection.read(f"{_path(job_id)}/graphs", format=form) as pieces:
                file.writelines(pieces)

        self._connection.patiently(copy)

    def _listen(self, job: RemoteJob, last_event: str, show: Callable[[RemoteJob], None]) -> str:
        """Show what happens to a job until it has ended, or nothing is heard of it; the id of the last event."""
        try:
            with self._connection.events(
                f"{_path(job.id)}/events", after=last_event, quiet_seconds=_QUIET_SECONDS
            ) as events:
                for event in events:
                    last_event, said = event.id, json.loads(event.data)
                    match event.event:
                        case "status":
                            job = job.model_copy(update={"status": JobStatus(said["status"])})
                        case "progress":
                            job = job.model_copy(update={"progress": job.progress.model_copy(update=said)})
                        case _:
                            return last_event
                    show(job)
        except httpx2.ReadTimeout:
            return last_event
        except httpx2.RequestError:
            pass  # whether the server is there will be found out by asking for the job
        time.sleep(_PAUSE_SECONDS)
        return last_event


@contextmanager
def connected(url: str, api_key: str | None, patience: Patience = _PATIENCE) -> Iterator[Client]:
    """A client of the server at an address.

    Raises:
        CommandError: if that is no address, or no key.
    """
    connection = Connection(url, api_key, patience)
    try:
        yield Client(connection)
    finally:
        connection.close()


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"
