"""Measuring a checkpoint: draw fresh samples, compute their metrics, say how it was done."""

import time
from collections.abc import Callable

from models.card import Measurement
from models.checkpoint import LoadedModel
from models.data import qm9
from models.evaluation.molecules import EvaluationError, evaluate_molecules, smiles_of
from models.generation import GenerationPlan, Progress, generate

DEFAULT_SEED = 20_000


def evaluate(
    model: LoadedModel,
    plan: GenerationPlan,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Measurement:
    """Metrics of a plan's samples.

    Raises:
        EvaluationError: if the model's training set is not one that molecules can be compared with,
            or fewer than two samples are valid molecules.
    """
    card = model.card
    if card.domain != "molecule" or card.training is None or card.training.dataset != "qm9":
        raise EvaluationError(
            f"{card.name!r} was not trained on qm9, the one data set there are reference molecules for"
        )
    started = time.perf_counter()
    samples = [text for batch in generate(model, plan, on_progress) for text in smiles_of(card, batch.graphs)]
    seconds = time.perf_counter() - started
    metrics = evaluate_molecules(
        samples, training=set(qm9.canonical_molecules("train")), reference=qm9.canonical_molecules("test")
    )
    return Measurement(
        num_graphs=plan.num_graphs,
        sampler=plan.sampler,
        eta=plan.eta if plan.sampler == "mixed" else None,
        grid=plan.grid,
        num_steps=plan.num_steps,
        seed=plan.seed,
        command=f"digress evaluate {card.name} -n {plan.num_graphs} --sampler {plan.sampler}"
        + (f" --eta {plan.eta:g}" if plan.sampler == "mixed" else "")
        + f" --grid {plan.grid} --num-steps {plan.num_steps} --seed {plan.seed} --json",
        values={**metrics.as_dict(), "graphs_per_second": round(plan.num_graphs / seconds, 1)},
    )
