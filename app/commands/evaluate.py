"""`digress evaluate`: how good a checkpoint is."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.console import CommandError, require
from app.commands.environment import settings_on
from app.commands.options import DeviceOption, ModelArgument, SamplerOption, SeedOption, StepsOption
from app.commands.progress import progress_bar
from app.commands.requests import complete_request
from models.card.config import Grid
from models.card.folder import change_card


def evaluate(
    model: ModelArgument,
    num_graphs: Annotated[
        int, typer.Option("-n", "--num-graphs", help="How many fresh samples to measure.", min=2)
    ] = 1_000,
    seed: SeedOption = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    eta: Annotated[
        float | None, typer.Option(help="Share of renoise in the sampler mixed; the card's if left out.", min=0, max=1)
    ] = None,
    grid: Annotated[Grid | None, typer.Option(help="Where the steps lie; the card's if left out.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="The file that the checkpoint was trained on, if it was one of yours.")
    ] = None,
    likelihood: Annotated[
        bool, typer.Option(help="The likelihood bound too; it is slow for large graphs, and no sampler changes it.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Also put the measurement into the checkpoint's card.")] = False,
    device: DeviceOption = None,
) -> None:
    """Measure a checkpoint on fresh samples, and on the test graphs of what it was trained on.

    Molecules: validity, uniqueness, novelty, stability, FCD, distances of properties. Other graphs: validity, uniqueness,
    novelty, and MMD ratios of degrees, clustering, orbits, spectrum and wavelets. Both: the likelihood bound with its terms.

    Examples:
        digress evaluate qm9 -n 2000 --json
        digress evaluate planar -n 200 --num-steps 100 --no-likelihood
        digress evaluate molecules --data molecules.csv --save
    """
    require("fcd_torch", "evaluate")
    import torch

    from models.data.files.parsed import DataFileError
    from models.evaluation.molecules import EvaluationError
    from models.evaluation.report import DEFAULT_SEED, reference_data
    from models.evaluation.report import evaluate as measure
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    settings = settings_on(device)
    request = complete_request(
        model, num_graphs=num_graphs, seed=DEFAULT_SEED if seed is None else seed, num_steps=num_steps, sampler=sampler
    )
    if eta is not None and request.sampler != "mixed":
        raise CommandError(f"--eta is for --sampler mixed, not {request.sampler}")
    torch.set_flush_denormal(True)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(request.model)
    context = plan(request, loaded.card)
    context = replace(context, grid=grid or context.grid, eta=context.eta if eta is None else eta)
    try:
        reference = reference_data(loaded.card, data)
    except (EvaluationError, DataFileError) as error:
        raise CommandError(str(error)) from error
    try:
        with progress_bar("sampling", request.num_graphs, then="measuring") as on_progress:
            measurement = measure(loaded, context, reference, on_progress, likelihood=likelihood)
    except EvaluationError as error:
        raise CommandError(str(error)) from error
    if save:
        change_card(settings.checkpoints / model, lambda card: card.with_measurement(measurement))
    if as_json:
        print(measurement.model_dump_json(indent=2))
        return
    table = Table("metric", "value", title=f"{loaded.card.name}, {num_graphs} samples, {request.num_steps} steps")
    for name, value in measurement.values.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
