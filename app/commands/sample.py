"""`digress sample`: graphs, drawn here."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.commands.complaints import CommandError, console
from app.commands.environment import settings_on
from app.commands.options import DeviceOption, ModelArgument, SamplerOption, SeedOption, StepsOption
from app.commands.output import require_writable
from app.commands.progress import progress_bar
from app.commands.requests import Wish, complete_request, sizes_of, targets_of
from app.schemas import MAX_GRAPHS
from models.card import Estimator


def sample(
    model: ModelArgument,
    num_graphs: Annotated[int, typer.Option("-n", "--num-graphs", help="How many graphs.", min=1, max=MAX_GRAPHS)] = 1,
    seed: SeedOption = None,
    num_nodes: Annotated[str | None, typer.Option(help="Nodes per graph, like 9, or a range, like 5-9.")] = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Wanted property value, like mu=2.5; repeatable. `digress models` lists them."),
    ] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="How hard to steer to the targets.", min=0)] = None,
    estimator: Annotated[
        Estimator | None, typer.Option(help="How the guided step is found; gradient is DiGress's own.")
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(help="Graphs drawn for each one kept: the one predicted nearest to the targets.", min=1),
    ] = None,
    wanted: Annotated[
        list[Wish] | None,
        typer.Option("--filter", help="Draw again what is not so, up to ten times; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the graphs; standard output if left out.")] = None,
    device: DeviceOption = None,
) -> None:
    """Draw graphs here, without Redis: JSON lines, one graph a line, the same as POST /generate gives.

    Examples: digress sample qm9 -n 100 --seed 7 --num-nodes 5-9 --out molecules.jsonl,
    digress sample qm9 -n 16 --target mu=2.5 --target homo=-6.2
    """
    import torch

    from worker.engine import Engine, EngineStopped, TooLarge
    from worker.selection import Selection, collect
    from worker.store import ModelStore, choose_device

    settings = settings_on(device)
    targets = targets_of(target)
    steering = {"guidance_scale": guidance_scale, "estimator": estimator, "candidates": candidates}
    if not targets and (given := [name for name, value in steering.items() if value is not None]):
        raise CommandError(f"--{given[0].replace('_', '-')} steers to a --target, and there is none")
    request = complete_request(
        model,
        num_graphs=num_graphs,
        seed=seed,
        num_nodes=None if num_nodes is None else sizes_of(num_nodes),
        num_steps=num_steps,
        sampler=sampler,
        targets=targets or None,
        filter=dict.fromkeys(wanted or [], True),
        **steering,
    )
    if out is not None:
        require_writable(out)
    torch.set_flush_denormal(True)
    selection = Selection(request.filter)
    store = ModelStore(settings.checkpoints, choose_device(settings.device))
    try:
        with Engine(store) as engine, progress_bar("sampling", request.num_graphs) as on_progress:
            left = collect(engine.submit(request), selection, store.model(request.model).card, on_progress)
    except (TooLarge, EngineStopped) as error:
        raise CommandError(str(error)) from error
    lines = "".join(selection.kept[index].model_dump_json() + "\n" for index in sorted(selection.kept))
    if out is None:
        sys.stdout.write(lines)
    else:
        out.write_text(lines, encoding="utf-8")
    if left:
        console.print(f"digress: {len(left)} graphs short: no draw of them passed the filter", style="yellow")
