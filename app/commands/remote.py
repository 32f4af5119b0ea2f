"""A job of a server somewhere else, from the request to its graphs in a file: the work of `digress generate`."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from app.commands.client import Client, RemoteJob
from app.commands.connection import ServerLost
from app.commands.console import CommandError, ExitStatus, complain, tell, warn
from app.commands.graph_files import conclude, graphs_file, require_form
from app.commands.progress import job_bar
from app.pictures.formats import Format
from app.schemas import JobStatus, JobSummary


def submit(client: Client, body: Mapping[str, Any], form: Format) -> RemoteJob:
    """Ask for graphs that are to be written in a form.

    Raises:
        CommandError: if they have no such form, or the server says no.
    """
    if form is not Format.NDJSON:
        require_form(form, body["model"], client.card(body["model"]).domain)
    return client.submit(body)


def finish(client: Client, job: RemoteJob, form: Format, out: Path | None) -> None:
    """Wait for a job, and write its graphs.

    Raises:
        CommandError: if the server is lost on the way, or the graphs have no such form.
        typer.Exit: if the job does not end with as many graphs as were asked for, or is not waited for.
    """
    tell(f"job {job.id} of {client.url}")
    command = ["digress", "generate", "--job", job.id, "--server", client.url, *(["--out", str(out)] if out else [])]
    going_on = f"the job goes on there, and is picked up by: {shlex.join(command)}"
    try:
        with job_bar() as show:
            job = client.follow(job, lambda now: show(now.status, now.progress))
        if job.status is JobStatus.SUCCEEDED or job.progress.graphs_done:
            with graphs_file(out) as file:
                client.copy_graphs(job.id, form, file)
    except ServerLost as error:
        raise CommandError(f"{error}; {going_on}") from error
    except KeyboardInterrupt:
        warn(f"interrupted; {going_on}")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    if job.status is not JobStatus.SUCCEEDED:
        complain(_how_it_ended(job))
        raise typer.Exit(ExitStatus.JOB_ENDED_BADLY)
    summary = job.summary or JobSummary(num_graphs=job.progress.graphs_done, seconds=0)
    num_valid = summary.num_graphs if summary.valid is None else summary.valid
    conclude(form, num_invalid=summary.num_graphs - num_valid, num_short=summary.short)


def _how_it_ended(job: RemoteJob) -> str:
    reason = f": {job.error.detail}" if job.error else ""
    left = (
        f"; the {job.progress.graphs_done} graphs that it had finished are written" if job.progress.graphs_done else ""
    )
    return f"the job {'was' if job.status is JobStatus.CANCELED else 'has'} {job.status}{reason}{left}"
