"""`digress evaluate-guidance`: measure how close guided graphs come to their targets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.computing import local_models
from app.commands.configuration import configured_cards
from app.commands.console import require_extra
from app.commands.options import (
    DeviceOption,
    DftProcessesOption,
    EstimatorOption,
    GuidanceScaleOption,
    JsonOption,
    ModelArgument,
    NumCandidatesOption,
    SamplerOption,
    SaveOption,
    SeedOption,
    StepsOption,
)
from app.commands.progress import progress_bar
from app.commands.property_measures import load_measure, require_measurable
from app.commands.request_options import complete_request
from app.schemas import AnyCompletedRequest
from models.card.card import ModelCard
from models.card.config import Measure
from models.card.folder import change_card

if TYPE_CHECKING:
    from models.card.measurements import GuidanceMeasurement


@dataclass(frozen=True, kw_only=True)
class GuidanceOptions:
    """What is drawn, towards which properties, and how these are measured."""

    properties: Annotated[
        list[str], typer.Option("--property", help="Property to steer to, like mu; repeat to steer to several at once.")
    ]
    measure: Annotated[
        Measure,
        typer.Option(
            help="How properties are measured: rdkit (exact: mw, logp, qed, sa, …), dft (mu, homo, lumo, gap; "
            "about 10 s a molecule), or judge, a regressor trained on other molecules."
        ),
    ] = "judge"
    num_graphs: Annotated[
        int, typer.Option("-n", "--num-graphs", help="Targets, each from a test molecule and with one graph.", min=2)
    ] = 1_000
    candidates: NumCandidatesOption = 1
    guidance_scale: GuidanceScaleOption = None
    estimator: EstimatorOption = None
    seed: SeedOption = None
    num_steps: StepsOption = None
    sampler: SamplerOption = None

    def request(self, card: ModelCard, *, default_seed: int) -> AnyCompletedRequest:
        """The request for the guided graphs.

        Its targets are placeholders that every card accepts: the real ones are drawn from test molecules.
        """
        known = card.properties
        return complete_request(
            card.name,
            num_graphs=self.num_graphs,
            seed=default_seed if self.seed is None else self.seed,
            num_steps=self.num_steps,
            sampler=self.sampler,
            targets={name: known[name].mean if name in known else 0.0 for name in self.properties},
            guidance_scale=self.guidance_scale,
            estimator=self.estimator,
            candidates=self.candidates,
        )


def evaluate_guidance(
    model: ModelArgument,
    *,
    options: GuidanceOptions,
    jobs: DftProcessesOption = 1,
    as_json: JsonOption = False,
    save: SaveOption = False,
    device: DeviceOption = None,
) -> None:
    """Measure how close guided graphs come to their targets, compared with unguided graphs.

    Results of dft are kept: if the command is stopped, the same command continues where it was.

    Examples:
        digress evaluate-guidance qm9 --property logp --measure rdkit
        digress evaluate-guidance qm9 --property mu --property homo --candidates 8
        digress evaluate-guidance qm9 --property mu --measure dft -n 100 --jobs 2
    """
    require_extra("chemistry", "qm9pack")
    from app.catalogue.validation import find_card
    from models.evaluation.guidance import DEFAULT_SEED, Protocol
    from models.evaluation.guidance import evaluate_guidance as run
    from models.evaluation.molecules import EvaluationError
    from worker.plans import plan

    with local_models(device, EvaluationError) as local:
        card = find_card(model, configured_cards())
        require_measurable(options.properties, options.measure, card)
        request = options.request(card, default_seed=DEFAULT_SEED)
        loaded = local.load(request.model)
        with progress_bar("sampling", request.num_graphs) as on_progress:
            measures = load_measure(options.measure, card, local.settings.checkpoints, num_processes=jobs)
            protocol = Protocol(options.properties, options.measure, measures)
            measurement = run(loaded, plan(request, card), protocol, on_progress)
    if save:
        change_card(local.settings.checkpoints / model, lambda card: card.with_guidance_measurement(measurement))
    if as_json:
        print(measurement.model_dump_json(indent=2))
    else:
        _print_table(measurement, f"{card.name} by {options.measure}, {options.num_graphs} targets")


def _print_table(measurement: "GuidanceMeasurement", title: str) -> None:
    table = Table("property", "guided MAE", "unguided MAE", title=title)
    for name, mae in measurement.mae.items():
        table.add_row(
            name,
            f"{mae:.3f} ± {measurement.standard_error[name]:.3f}",
            f"{measurement.unguided_mae[name]:.3f} ± {measurement.unguided_standard_error[name]:.3f}",
        )
    Console().print(table)
    Console().print(
        f"ratio {measurement.ratio:.3f}, valid {measurement.valid:.3f}, measured {measurement.measured:.3f}"
    )
