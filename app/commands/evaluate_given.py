"""`digress evaluate --given`: how well what is given of test graphs is completed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.commands.console import CommandError
from models.card.card import ModelCard, SimilarityPoint
from models.card.measurements import GivenKind, GivenMeasurement, Measurement

if TYPE_CHECKING:
    from models.checkpoint import LoadedModel
    from models.data.dataset import GraphData
    from models.generation import Progress
    from models.plan import GenerationPlan

NUM_SOURCES = 200


def measure_given(
    loaded: "LoadedModel",
    plan: "GenerationPlan",
    data: "GraphData",
    on_progress: "Callable[[Progress], None]",
    *,
    kind: GivenKind,
) -> GivenMeasurement | list[SimilarityPoint]:
    """Completions of test graphs, measured; for "near" the curve of similarity by noise."""
    from models.evaluation.given import complete, measure_completions, similarity_curve, sources_of

    sources = sources_of(data, kind, min(NUM_SOURCES, plan.num_graphs), seed=plan.seed)
    if plan.num_graphs % len(sources):
        raise CommandError(f"-n must be a multiple of the {len(sources)} test graphs that something is given of")
    if kind == "near":
        return similarity_curve(loaded, plan, sources, on_progress)
    values = measure_completions(loaded.card, sources, complete(loaded, plan, sources, on_progress), data)
    return GivenMeasurement(
        version=loaded.card.version,
        kind=kind,
        num_sources=len(sources),
        num_graphs=plan.num_graphs,
        sampler=plan.sampler,
        eta=plan.eta if plan.sampler == "mixed" else None,
        grid=plan.grid,
        num_steps=plan.num_steps,
        seed=plan.seed,
        command=f"digress evaluate {loaded.card.name} --given {kind} -n {plan.num_graphs} --sampler {plan.sampler}"
        + (f" --eta {plan.eta:g}" if plan.sampler == "mixed" else "")
        + f" --grid {plan.grid} --num-steps {plan.num_steps} --seed {plan.seed} --json",
        values=values,
    )


def with_measured(card: ModelCard, measured: Measurement | GivenMeasurement | list[SimilarityPoint]) -> ModelCard:
    """The card with what `digress evaluate` has measured."""
    match measured:
        case Measurement():
            return card.with_measurement(measured)
        case GivenMeasurement():
            return card.with_given_measurement(measured)
        case _:
            return card.model_copy(update={"similarity_curve": measured})
