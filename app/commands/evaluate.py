"""`digress evaluate`: measure how good a checkpoint is."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.commands.computing import local_models
from app.commands.console import CommandError, require_extra
from app.commands.options import (
    DeviceOption,
    JsonOption,
    ModelArgument,
    SamplerOption,
    SaveOption,
    SeedOption,
    StepsOption,
)
from app.commands.progress import progress_bar
from app.commands.request_options import complete_request
from models.card.card import ModelCard
from models.card.config import Grid
from models.card.folder import change_card
from models.card.measurements import GivenMeasurement, Measurement

Measured = Measurement | GivenMeasurement


class GivenChoice(StrEnum):
    """What --given takes."""

    PARTS = "parts"
    SCAFFOLDS = "scaffolds"
    FORMULA = "formula"
    NEAR = "near"


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
    grid: Annotated[Grid | None, typer.Option(help="Spacing of the steps; the card's if left out.")] = None,
    data: Annotated[Path | None, typer.Option(help="Your file, if the checkpoint was trained on one.")] = None,
    likelihood: Annotated[
        bool, typer.Option(help="Also the likelihood bound; slow for large graphs, and the same for every sampler.")
    ] = True,
    given: Annotated[
        GivenChoice | None,
        typer.Option(
            help="Measure completions of 200 test graphs by parts, scaffolds or formula; or what is left near them, by noise."
        ),
    ] = None,
    as_json: JsonOption = False,
    save: SaveOption = False,
    device: DeviceOption = None,
) -> None:
    """Measure a checkpoint on fresh samples, and on the test graphs of its data set.

    Molecules: validity, uniqueness, novelty, stability, FCD, distances of properties. Other graphs: validity, uniqueness,
    novelty, and MMD ratios of degrees, clustering, orbits, spectrum and wavelets. Both: the likelihood bound with its terms.

    Examples:
        digress evaluate planar -n 200 --num-steps 100 --no-likelihood --json
        digress evaluate qm9 --given parts -n 2000
        digress evaluate molecules --data molecules.csv --save
    """
    require_extra("evaluate", "fcd_torch")
    from models.data.files.parsed import DataFileError
    from models.evaluation import report
    from models.evaluation.molecules import EvaluationError
    from worker.plans import plan

    with local_models(device, EvaluationError, DataFileError) as local:
        seed = report.DEFAULT_SEED if seed is None else seed
        request = complete_request(model, num_graphs=num_graphs, seed=seed, num_steps=num_steps, sampler=sampler)
        if eta is not None and request.sampler != "mixed":
            raise CommandError(f"--eta is for --sampler mixed, not {request.sampler}")
        loaded = local.load(request.model)
        chosen: dict[str, Any] = {name: value for name, value in (("grid", grid), ("eta", eta)) if value is not None}
        sampling = replace(plan(request, loaded.card), **chosen)
        reference = report.reference_data(loaded.card, data)
        with progress_bar("sampling", request.num_graphs, then="measuring") as on_progress:
            measured: Measured
            if given is None:
                measured = report.evaluate(loaded, sampling, reference, on_progress, likelihood=likelihood)
            else:
                measured = report.evaluate_given(loaded, sampling, reference, on_progress, kind=given.value)
    if save:
        change_card(local.settings.checkpoints / model, lambda card: _with_measured(card, measured))
    _print(measured, f"{loaded.card.name}, {num_graphs} samples, {request.num_steps} steps", as_json=as_json)


def _print(measured: Measured, title: str, *, as_json: bool) -> None:
    if as_json:
        print(measured.model_dump_json(indent=2))
        return
    table = Table("metric", "value", title=title)
    for name, value in measured.values.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)


def _with_measured(card: ModelCard, measured: Measured) -> ModelCard:
    if isinstance(measured, GivenMeasurement):
        return card.with_given_measurement(measured)
    return card.with_measurement(measured)
