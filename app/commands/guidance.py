"""`digress evaluate-guidance`: how near guided graphs come to their targets."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.console import CommandError, require
from app.commands.environment import cards, settings_on
from app.commands.measures import measure_by, require_measurable
from app.commands.options import DeviceOption, ModelArgument, SamplerOption, SeedOption, StepsOption
from app.commands.progress import progress_bar
from app.commands.requests import complete_request
from models.card.config import Estimator, Measure
from models.card.folder import change_card


def evaluate_guidance(
    model: ModelArgument,
    properties: Annotated[
        list[str], typer.Option("--property", help="Property to steer to, like mu; repeat to steer to several at once.")
    ],
    measure: Annotated[
        Measure,
        typer.Option(
            help="What tells the graphs' properties: rdkit (exact: logp, qed, mw), dft (mu, homo, lumo, gap; "
            "about 10 s a molecule), or judge, a regressor trained on other molecules."
        ),
    ] = "judge",
    num_graphs: Annotated[
        int, typer.Option("-n", "--num-graphs", help="Targets, each from a test molecule and with one graph.", min=2)
    ] = 1_000,
    candidates: Annotated[int, typer.Option(help="Graphs drawn for each one kept.", min=1)] = 1,
    guidance_scale: Annotated[float | None, typer.Option(help="The card's default if left out.", min=0)] = None,
    estimator: Annotated[Estimator | None, typer.Option(help="How the guided step is found.")] = None,
    seed: SeedOption = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    jobs: Annotated[int, typer.Option(help="Processes for dft, a core each.", min=1)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Also put the measurement into the checkpoint's card.")] = False,
    device: DeviceOption = None,
) -> None:
    """Measure how near guided graphs come to their targets, beside unguided graphs.

    What dft has computed is kept: stopped at any moment, the same command goes on where it was.

    Examples:
        digress evaluate-guidance qm9 --property logp --measure rdkit
        digress evaluate-guidance qm9 --property mu --property homo --candidates 8
        digress evaluate-guidance qm9 --property mu --measure dft -n 100 --jobs 2
    """
    require("qm9pack", "chemistry")
    import torch

    from app.catalogue.validation import find_card
    from models.evaluation.guidance import DEFAULT_SEED, Protocol
    from models.evaluation.guidance import evaluate_guidance as run
    from models.evaluation.molecules import EvaluationError
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    settings = settings_on(device)
    card = find_card(model, cards())
    require_measurable(properties, measure, card)
    request = complete_request(
        model,
        num_graphs=num_graphs,
        seed=DEFAULT_SEED if seed is None else seed,
        num_steps=num_steps,
        sampler=sampler,
        # Stand-ins that every card accepts: the real targets are drawn from test molecules.
        targets={name: card.properties[name].mean if name in card.properties else 0.0 for name in properties},
        guidance_scale=guidance_scale,
        estimator=estimator,
        candidates=candidates,
    )
    torch.set_flush_denormal(True)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(request.model)
    try:
        with progress_bar("sampling", request.num_graphs) as on_progress:
            protocol = Protocol(properties, measure, measure_by(measure, card, settings.checkpoints, jobs=jobs))
            measurement = run(loaded, plan(request, card), protocol, on_progress)
    except EvaluationError as error:
        raise CommandError(str(error)) from error
    if save:
        change_card(settings.checkpoints / model, lambda card: card.with_guidance_measurement(measurement))
    if as_json:
        print(measurement.model_dump_json(indent=2))
        return
    table = Table("property", "guided MAE", "unguided MAE", title=f"{card.name} by {measure}, {num_graphs} targets")
    for name in properties:
        table.add_row(
            name,
            f"{measurement.mae[name]:.3f} ± {measurement.standard_error[name]:.3f}",
            f"{measurement.unguided_mae[name]:.3f} ± {measurement.unguided_standard_error[name]:.3f}",
        )
    Console().print(table)
    Console().print(
        f"ratio {measurement.ratio:.3f}, valid {measurement.valid:.3f}, measured {measurement.measured:.3f}"
    )
