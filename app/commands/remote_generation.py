"""A job on a server, from the request to a file of graphs: the work of `digress generate`."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from app.commands.client import Client, RemoteJob
from app.commands.connection import ServerLost
from app.commands.console import CommandError, ExitStatus, print_error, print_note, print_warning
from app.commands.graph_files import open_graph_file, report_missing_graphs, require_format
from app.commands.progress import job_bar
from app.pictures.formats import Format
from app.schemas import JobStatus, JobSummary


def submit(client: Client, body: Mapping[str, Any], form: Format) -> RemoteJob:
    """Submit a request whose graphs will be written in a format.

    Raises:
        CommandError: if the model's graphs have no such format, or the server refuses the request.
    """
    if form is not Format.NDJSON:
        require_format(form, body["model"], client.card(body["model"]).domain)
    return client.submit(body)


def wait_and_save(client: Client, job: RemoteJob, form: Format, out: Path | None) -> None:
    """Wait for a job and save its graphs.

    Raises:
        CommandError: if the server becomes unreachable, or the graphs have no such format.
        typer.Exit: if the job ends without all requested graphs, or the user interrupts.
    """
    print_note(f"job {job.id} of {client.url}")
    command = ["digress", "generate", "--job", job.id, "--server", client.url, *(["--out", str(out)] if out else [])]
    how_to_continue = f"the job continues there; follow it by: {shlex.join(command)}"
    try:
        with job_bar() as show:
            job = client.follow(job, lambda now: show(now.status, now.progress))
        if job.status is JobStatus.SUCCEEDED or job.progress.graphs_done:
            with open_graph_file(out) as file:
                client.copy_graphs(job.id, form, file)
    except ServerLost as error:
        raise CommandError(f"{error}; {how_to_continue}") from error
    except KeyboardInterrupt:
        print_warning(f"interrupted; {how_to_continue}")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    if job.status is not JobStatus.SUCCEEDED:
        print_error(_describe_end(job))
        raise typer.Exit(ExitStatus.JOB_NOT_SUCCEEDED)
    summary = job.summary or JobSummary(num_graphs=job.progress.graphs_done, seconds=0)
    num_valid = summary.num_graphs if summary.valid is None else summary.valid
    report_missing_graphs(form, num_invalid=summary.num_graphs - num_valid, note=summary.note)


def _describe_end(job: RemoteJob) -> str:
    reason = f": {job.error.detail}" if job.error else ""
    left = f"; its {job.progress.graphs_done} finished graphs are written" if job.progress.graphs_done else ""
    return f"the job {'was' if job.status is JobStatus.CANCELED else 'has'} {job.status}{reason}{left}"
