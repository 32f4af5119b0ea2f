"""`digress plot` and `digress plot-guidance`: pictures of a checkpoint's graphs."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.computing import local_models
from app.commands.configuration import configured_cards
from app.commands.console import CommandError, require_extra
from app.commands.options import (
    DeviceOption,
    DftProcessesOption,
    GuidanceScaleOption,
    ModelArgument,
    NumCandidatesOption,
    SeedOption,
)
from app.commands.output import require_writable
from app.commands.progress import progress_bar
from app.commands.property_measures import load_measure, require_measurable
from app.commands.request_options import complete_request
from models.card.config import Measure
from models.card.folder import PLOT_FILE


def plot_guidance(
    model: ModelArgument,
    name: Annotated[str, typer.Option("--property", help="Property to steer to, like mu.")],
    targets: Annotated[list[float], typer.Option("--target", help="Value to steer to; repeat for several.")],
    measure: Annotated[Measure, typer.Option(help="How the property is measured, as in evaluate-guidance.")] = "judge",
    num_graphs: Annotated[int, typer.Option("-n", "--num-graphs", help="Graphs for each target.", min=2)] = 500,
    candidates: NumCandidatesOption = 1,
    guidance_scale: GuidanceScaleOption = None,
    seed: SeedOption = None,
    jobs: DftProcessesOption = 1,
    out: Annotated[Path, typer.Option(help="The picture; svg, png or pdf by its ending.")] = Path("guidance.svg"),
    device: DeviceOption = None,
) -> None:
    """Plot a property of graphs steered to each target, against the training set.

    Examples:
        digress plot-guidance qm9 --property mu --target 1 --target 3 --target 5
        digress plot-guidance qm9 --property logp --target 0 --measure rdkit --out logp.png
    """
    require_extra("chemistry", "qm9pack", "matplotlib")
    from app.catalogue.validation import find_card
    from models.evaluation.guidance import DEFAULT_SEED, steered_values, training_values
    from models.evaluation.molecules import EvaluationError
    from models.evaluation.plot import plot_targets
    from worker.plans import plan

    _require_picture(out)
    with local_models(device, EvaluationError) as local:
        card = find_card(model, configured_cards())
        require_measurable([name], measure, card)
        chosen = {"seed": DEFAULT_SEED if seed is None else seed, "guidance_scale": guidance_scale}
        requests = {
            target: complete_request(
                model, num_graphs=num_graphs, targets={name: target}, candidates=candidates, **chosen
            )
            for target in targets
        }
        require_writable(out)
        measures = load_measure(measure, card, local.settings.checkpoints, num_processes=jobs)
        loaded = local.load(card.name)
        steered = {}
        for target, request in requests.items():
            with progress_bar(f"{name} = {target:g}", num_graphs) as on_progress:
                steered[target] = steered_values(loaded, plan(request, card), name, measures, on_progress)
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
            "--save", help="Save into the checkpoint's folder, where the service finds it, with the card as a page."
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
        raise CommandError(f"--save puts the picture into the folder of {model}; leave out --out")
    require_extra("evaluate", "matplotlib", "networkx")
    from models.evaluation.page import PAGE_FILE, write_page
    from models.evaluation.plot import plot_model
    from models.evaluation.report import DEFAULT_SEED
    from models.generation import generate
    from worker.plans import plan

    with local_models(device) as local:
        folder = local.settings.checkpoints / model
        path = folder / PLOT_FILE if save else out or Path(f"{model}.png")
        _require_picture(path)
        request = complete_request(model, num_graphs=12, seed=DEFAULT_SEED if seed is None else seed)
        require_writable(path)
        loaded = local.load(request.model)
        with progress_bar("sampling", request.num_graphs) as on_progress:
            drawn = [batch.graphs for batch in generate(loaded, plan(request, loaded.card), on_progress)]
    plot_model(loaded.card, drawn, path)
    if save:
        (folder / PAGE_FILE).write_text(write_page(loaded.card), encoding="utf-8")
    print(path)


def _require_picture(path: Path) -> None:
    from models.evaluation.plot import KINDS

    if path.suffix not in KINDS:
        raise CommandError(f"--out ends in {', '.join(KINDS)}, not {path.name!r}")
