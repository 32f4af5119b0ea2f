"""`digress generate`: graphs, drawn by a server."""

from typing import Annotated

import typer

from app.commands.options import (
    CandidatesOption,
    EstimatorOption,
    FilterOption,
    GraphsOption,
    GuidanceScaleOption,
    NumGraphsOption,
    SamplerOption,
    SeedOption,
    SizeOption,
    StepsOption,
    TargetOption,
)
from app.commands.requests import given_fields
from app.commands.suggestions import model_names
from app.schemas import Priority

DEFAULT_SERVER = "http://127.0.0.1:8000"


def generate(
    model: Annotated[
        str | None, typer.Argument(help="Name of a model that the server has.", autocompletion=model_names)
    ] = None,
    num_graphs: NumGraphsOption = None,
    seed: SeedOption = None,
    num_nodes: SizeOption = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    target: TargetOption = None,
    guidance_scale: GuidanceScaleOption = None,
    estimator: EstimatorOption = None,
    candidates: CandidatesOption = None,
    wanted: FilterOption = None,
    priority: Annotated[
        Priority | None, typer.Option(help="Share of the workers: 16, 4 or 1.", show_default="normal")
    ] = None,
    out: GraphsOption = None,
    watch: Annotated[
        bool, typer.Option(help="Wait for the graphs; or print the job's id and leave them on the server.")
    ] = True,
    job_id: Annotated[
        str | None, typer.Option("--job", help="Follow a job that was asked for before, instead of a MODEL.")
    ] = None,
    server: Annotated[str, typer.Option(help="Where it is.", envvar="DIGRESS_SERVER")] = DEFAULT_SERVER,
    api_key: Annotated[str | None, typer.Option(help="If the server needs one.", envvar="DIGRESS_API_KEY")] = None,
) -> None:
    """Draw graphs by a running server: the same as `digress sample` draws here.

    A job goes on when this command is interrupted, or the server is out of reach for a while; --job picks it up.

    Exit status: 0 all graphs are there, 1 an error, 2 wrong usage, 3 the job failed or was canceled (what it had finished
    is written), 4 fewer graphs than asked for (--filter), 130 interrupted.

    Examples:
        digress generate qm9 -n 100 --seed 7 --out molecules.smi
        digress generate qm9 -n 16 --target mu=2.5 --filter valid --out near.sdf
        DIGRESS_API_KEY=… digress generate planar --server https://graphs.example
        job=$(digress generate tree -n 1000 --priority low --no-watch)
        digress generate --job $job --out trees.jsonl
    """
    from app.commands.client import connected
    from app.commands.graph_files import form_of
    from app.commands.remote import finish, submit

    fields = given_fields(
        num_graphs=num_graphs,
        seed=seed,
        num_nodes=num_nodes,
        num_steps=num_steps,
        sampler=sampler,
        target=target,
        guidance_scale=guidance_scale,
        estimator=estimator,
        candidates=candidates,
        wanted=wanted,
        priority=priority,
    )
    if (model is None) == (job_id is None):
        raise typer.BadParameter("give a MODEL, or a job by --job, and not both")
    if job_id is not None and (fields or not watch):
        raise typer.BadParameter("--job follows a job that was asked for before; only --out goes with it")
    if out is not None and not watch:
        raise typer.BadParameter("--no-watch does not wait for the graphs, so there is nothing to write to --out")
    form = form_of(out)
    with connected(server, api_key) as client:
        job = submit(client, {"model": model, **fields}, form) if job_id is None else client.job(job_id)
        if watch:
            finish(client, job, form, out)
        else:
            print(job.id)
