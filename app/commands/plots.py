"""`digress plot` and `digress plot-guidance`: pictures of a checkpoint's graphs."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import CommandError, require
from app.commands.environment import cards, settings_on
from app.commands.measures import measure_by, require_measurable
from app.commands.options import DeviceOption, ModelArgument, SeedOption
from app.commands.output import require_writable
from app.commands.progress import progress_bar
from app.commands.requests import complete_request
from models.card.config import Measure
from models.card.folder import PLOT_FILE


def plot_guidance(
    model: ModelArgument,
    name: Annotated[str, typer.Option("--property", help="Property to steer to, like mu.")],
    targets: Annotated[list[float], typer.Option("--target", help="Value to steer to; repeat for several.")],
    measure: Annotated[
        Measure, typer.Option(help="What tells the graphs' property, as in evaluate-guidance.")
    ] = "judge",
    num_graphs: Annotated[int, typer.Option("-n", "--num-graphs", help="Graphs for each target.", min=2)] = 500,
    candidates: Annotated[int, typer.Option(help="Graphs drawn for each one kept.", min=1)] = 1,
    guidance_scale: Annotated[float | None, typer.Option(help="The card's default if left out.", min=0)] = None,
    seed: SeedOption = None,
    jobs: Annotated[int, typer.Option(help="Processes for dft, a core each.", min=1)] = 1,
    out: Annotated[Path, typer.Option(help="The picture; svg, png or pdf by its ending.")] = Path("guidance.svg"),
    device: DeviceOption = None,
) -> None:
    """Plot a property of graphs steered to each target, against the training set.

    Examples:
        digress plot-guidance qm9 --property mu --target 1 --target 3 --target 5
        digress plot-guidance qm9 --property logp --target 0 --measure rdkit --out logp.png
    """
    require("qm9pack", "chemistry")
    require("matplotlib", "chemistry")
    import torch

    from app.catalogue.validation import find_card
    from models.evaluation.guidance import DEFAULT_SEED, steered_values, training_values
    from models.evaluation.molecules import EvaluationError
    from models.evaluation.plot import KINDS, plot_targets
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    if out.suffix not in KINDS:
        raise CommandError(f"--out ends in {', '.join(KINDS)}, not {out.name!r}")
    settings = settings_on(device)
    card = find_card(model, cards())
    require_measurable([name], measure, card)
    requests = {
        target: complete_request(
            model,
            num_graphs=num_graphs,
            seed=DEFAULT_SEED if seed is None else seed,
            targets={name: target},
            guidance_scale=guidance_scale,
            candidates=candidates,
        )
        for target in targets
    }
    require_writable(out)
    torch.set_flush_denormal(True)
    measure_with = measure_by(measure, card, settings.checkpoints, jobs=jobs)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(card.name)
    steered = {}
    for target, request in requests.items():
        try:
            with progress_bar(f"{name} = {target:g}", num_graphs) as on_progress:
                steered[target] = steered_values(loaded, plan(request, card), name, measure_with, on_progress)
        except EvaluationError as error:
            raise CommandError(str(error)) from error
    training = training_values(card, name)
    plot_targets(steered, card.properties[name], out, training=training, title=f"{card.name}: {name} by {measure}")


def plot(
    model: ModelArgument,
    seed: SeedOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The picture; svg, png or pdf by its ending. MODEL.png if left out.")
    ] = None,
    save: Annotated[
        bool,
        typer.Option(
            "--save", help="Into the checkpoint's folder instead, where the service finds it, with its card as a page."
        ),
    ] = False,
    device: DeviceOption = None,
) -> None:
    """Plot a dozen fresh graphs of a checkpoint, and its measured quality by the number of steps.

    Examples:
        digress plot qm9
        digress plot planar --seed 7 --out planar.svg
        digress plot planar --save
    """
    if save and out:
        raise CommandError(f"--save says where the picture goes: into the folder of {model}; leave out --out")
    require("matplotlib", "evaluate")
    require("networkx", "evaluate")
    import torch

    from models.evaluation.page import PAGE_FILE, write_page
    from models.evaluation.plot import KINDS, plot_model
    from models.evaluation.report import DEFAULT_SEED
    from models.generation import generate
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    settings = settings_on(device)
    folder = settings.checkpoints / model
    path = folder / PLOT_FILE if save else out or Path(f"{model}.png")
    if path.suffix not in KINDS:
        raise CommandError(f"--out ends in {', '.join(KINDS)}, not {path.name!r}")
    request = complete_request(model, num_graphs=12, seed=DEFAULT_SEED if seed is None else seed)
    require_writable(path)
    torch.set_flush_denormal(True)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(request.model)
    with progress_bar("sampling", request.num_graphs) as on_progress:
        drawn = [batch.graphs for batch in generate(loaded, plan(request, loaded.card), on_progress)]
    plot_model(loaded.card, drawn, path)
    if save:
        (folder / PAGE_FILE).write_text(write_page(loaded.card), encoding="utf-8")
    print(path)
