"""`digress generate`: let a server draw graphs."""

from typing import Annotated

import typer

from app.commands.options import GraphsOutOption
from app.commands.request_options import QueuedRequestOptions
from app.commands.shell_completion import model_names

DEFAULT_SERVER = "http://127.0.0.1:8000"


def generate(
    model: Annotated[
        str | None, typer.Argument(help="Name of a model that the server has.", autocompletion=model_names)
    ] = None,
    *,
    options: QueuedRequestOptions,
    out: GraphsOutOption = None,
    watch: Annotated[
        bool, typer.Option(help="Wait for the graphs; or print the job's id and leave them on the server.")
    ] = True,
    job_id: Annotated[str | None, typer.Option("--job", help="Follow an earlier job, instead of a MODEL.")] = None,
    server: Annotated[str, typer.Option(help="Address of the server.", envvar="DIGRESS_SERVER")] = DEFAULT_SERVER,
    api_key: Annotated[str | None, typer.Option(help="If the server needs one.", envvar="DIGRESS_API_KEY")] = None,
) -> None:
    """Let a running server draw graphs; `digress sample` draws the same graphs here.

    The job continues if this command is interrupted, or if the server is unreachable for a while; --job follows it again.

    Exit status: 0 all graphs are there, 1 an error, 2 wrong usage, 3 the job failed or was canceled (its finished graphs
    are written), 4 fewer graphs than requested (--filter), 130 interrupted.

    Examples:
        digress generate qm9 -n 100 --seed 7 --out molecules.smi
        digress generate qm9 -n 16 --target mu=2.5 --filter valid --out near.sdf
        DIGRESS_API_KEY=… digress generate planar --server https://graphs.example
        job=$(digress generate tree -n 1000 --priority low --no-watch)
        digress generate --job $job --out trees.jsonl
    """
    from app.commands.client import connected
    from app.commands.graph_files import format_of
    from app.commands.remote_generation import submit, wait_and_save

    fields = options.request_fields()
    if (model is None) == (job_id is None):
        raise typer.BadParameter("give a MODEL, or a job by --job, and not both")
    if job_id is not None and (fields or not watch):
        raise typer.BadParameter("--job follows an earlier job; it can be combined with --out only")
    if out is not None and not watch:
        raise typer.BadParameter("--no-watch does not wait for the graphs, so there is nothing to write to --out")
    form = format_of(out)
    with connected(server, api_key) as client:
        job = submit(client, {"model": model, **fields}, form) if job_id is None else client.job(job_id)
        if watch:
            wait_and_save(client, job, form, out)
        else:
            print(job.id)
