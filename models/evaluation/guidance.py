"""How near guided graphs come to their targets.

The targets are properties of test molecules, and each gets one graph; the distance between a target and the property
that its graph turns out to have is compared with that of unguided graphs from the same seeds. The property is measured by

    rdkit   computation, exactly (`models.descriptors`)
    dft     density-functional theory (mu, homo, lumo, gap): `models.evaluation.dft.quantum`
    judge   a regressor that was trained on other molecules than the guide (all)

A distance is only known for a valid molecule; what share of the graphs reached a value is part of the result.

Reference: Vignac et al. 2023, DiGress, arXiv:2209.14734, section 7.3 (the protocol)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import torch
from jaxtyping import Float
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import Measure
from models.card.measurements import GuidanceMeasurement
from models.checkpoint import LoadedModel
from models.conditional import Goal
from models.data.catalogue import targets_for
from models.data.encoding import encode_graphs
from models.descriptors import DESCRIPTORS, describe
from models.evaluation.molecules import EvaluationError, smiles_of
from models.generation import Progress, generate
from models.molecules import from_smiles
from models.networks.regressor import Regressor
from models.plan import GenerationPlan

Values = Mapping[str, float]
# Properties of molecules given as SMILES, in order; None where there is no value.
MeasureFunction = Callable[[Sequence[str]], Sequence[Values | None]]
_BY_DFT = ("mu", "homo", "lumo", "gap")
DEFAULT_SEED = 30_000


def measurable(measure: Measure, card: ModelCard) -> list[str]:
    """The properties that a measure knows of the graphs of a model."""
    match measure:
        case "rdkit":
            return list(DESCRIPTORS)
        case "dft":
            return list(_BY_DFT)
        case "judge":
            _, labels = targets_for(card)
            return [known.name for known in labels.properties]


@dataclass(frozen=True)
class Protocol:
    """What is steered to, and how the outcome is measured."""

    properties: Sequence[str]
    measure: Measure
    measure_with: MeasureFunction


def evaluate_guidance(
    model: LoadedModel,
    plan: GenerationPlan,
    protocol: Protocol,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> GuidanceMeasurement:
    """Guided against unguided graphs of one plan; the plan's goal says how to guide, its targets are drawn here.

    Raises:
        EvaluationError: if the plan has no goal, or too few graphs could be measured.
    """
    if plan.goal is None:
        raise EvaluationError("the plan has no targets")
    targets = draw_targets(model.card, protocol.properties, plan.num_graphs, seed=plan.seed)
    guided = _draw(model, replace(plan, goal=replace(plan.goal, targets=targets)), on_progress)
    unguided = _draw(model, replace(plan, goal=None), lambda progress: None)

    found = _distances(guided, targets, protocol)
    found_unguided = _distances(unguided, targets, protocol)
    mae, unguided_mae = (
        {name: fmean(values) for name, values in distances.items()} for distances in (found, found_unguided)
    )
    valid = [text for text in guided if text]
    goal = plan.goal
    return GuidanceMeasurement(
        version=model.card.version,
        properties=list(protocol.properties),
        measure=protocol.measure,
        estimator=goal.estimator,
        scale=goal.scale,
        candidates=goal.candidates,
        num_graphs=plan.num_graphs,
        guidance=model.card.guidance,
        sampler=plan.sampler,
        grid=plan.grid,
        num_steps=plan.num_steps,
        seed=plan.seed,
        command=_command(model.card.name, plan, goal, protocol),
        valid=round(len(valid) / len(guided), 4),
        unique=round(len(set(valid)) / len(valid), 4),
        measured=round(_count(found) / plan.num_graphs, 4),
        mae=_rounded(mae),
        standard_error=_rounded({name: _standard_error(values) for name, values in found.items()}),
        unguided_mae=_rounded(unguided_mae),
        unguided_standard_error=_rounded({name: _standard_error(values) for name, values in found_unguided.items()}),
        unguided_measured=round(_count(found_unguided) / plan.num_graphs, 4),
        ratio=round(fmean(mae.values()) / fmean(unguided_mae.values()), 4),
    )


def steered_values(
    model: LoadedModel,
    plan: GenerationPlan,
    name: str,
    measure_with: MeasureFunction,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[float]:
    """A property of a plan's graphs, of those that it can be measured for.

    Raises:
        EvaluationError: if there is none.
    """
    valid = [text for text in _draw(model, plan, on_progress) if text]
    values = [value[name] for value in measure_with(valid) if value is not None]
    if not values:
        raise EvaluationError(f"none of {plan.num_graphs} graphs could be measured")
    return values


def draw_targets(card: ModelCard, properties: Sequence[str], count: int, *, seed: int) -> dict[str, list[float]]:
    """Properties of `count` test molecules of a model's data set, drawn without replacement.

    Raises:
        EvaluationError: if there are not as many.
    """
    title, labels = targets_for(card)
    values = labels.load()["test"]
    if count > len(values):
        raise EvaluationError(f"{title} has {len(values)} test molecules, so at most as many targets, not {count}")
    chosen = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))[:count]
    names = [known.name for known in labels.properties]
    return {name: values[chosen, names.index(name)].tolist() for name in properties}


def training_values(card: ModelCard, name: str) -> Float[Tensor, " molecules"]:
    """A property of the training molecules of a model's data set."""
    _, labels = targets_for(card)
    names = [known.name for known in labels.properties]
    return labels.load()["train"][:, names.index(name)]


def by_rdkit(smiles: Sequence[str]) -> list[Values | None]:
    """Descriptors, exactly."""
    return [describe(text) for text in smiles]


def by_judge(judge: Regressor, names: Sequence[str], card: ModelCard) -> MeasureFunction:
    """What a regressor of a model predicts for clean molecules of the model's vocabulary."""

    @torch.no_grad()
    def measure(smiles: Sequence[str]) -> list[Values | None]:
        parsed = [_parsed(text, card) for text in smiles]
        graphs = encode_graphs(parsed, card.node_types, card.edge_types).long()
        predicted = judge(graphs, torch.zeros(len(graphs), dtype=torch.long)).location
        return [dict(zip(names, row, strict=True)) for row in predicted.tolist()]

    return measure


def _parsed(smiles: str, card: ModelCard) -> tuple[list[str], list[tuple[int, int, str]]]:
    parsed = from_smiles(smiles, draw_hydrogens=card.hydrogens_are_drawn)
    if parsed is None:
        raise EvaluationError(f"RDKit cannot read {smiles!r}")
    return parsed


def _draw(model: LoadedModel, plan: GenerationPlan, on_progress: Callable[[Progress], None]) -> list[str | None]:
    drawn: dict[int, str | None] = {}
    for batch in generate(model, plan, on_progress):
        drawn |= zip(batch.indices.tolist(), smiles_of(model.card, batch.graphs), strict=True)
    return [drawn[index] for index in range(plan.num_graphs)]


def _distances(
    samples: Sequence[str | None], targets: Mapping[str, Sequence[float]], protocol: Protocol
) -> dict[str, list[float]]:
    """Property -> distance from its target of every sample that has a value."""
    places = [i for i, text in enumerate(samples) if text]
    values = protocol.measure_with([text for text in samples if text])
    known = [(i, value) for i, value in zip(places, values, strict=True) if value is not None]
    if len(known) < 2:
        raise EvaluationError(f"of {len(samples)} graphs {len(known)} could be measured; at least 2 are needed")
    return {name: [abs(value[name] - targets[name][i]) for i, value in known] for name in protocol.properties}


def _standard_error(values: Sequence[float]) -> float:
    return stdev(values) / math.sqrt(len(values))


def _count(distances: Mapping[str, Sequence[float]]) -> int:
    return len(next(iter(distances.values())))


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _command(name: str, plan: GenerationPlan, goal: Goal, protocol: Protocol) -> str:
    properties = " ".join(f"--property {wanted}" for wanted in protocol.properties)
    return (
        f"digress evaluate-guidance {name} {properties} --measure {protocol.measure} -n {plan.num_graphs}"
        f" --candidates {goal.candidates} --estimator {goal.estimator} --guidance-scale {goal.scale:g}"
        f" --sampler {plan.sampler} --num-steps {plan.num_steps} --seed {plan.seed} --json"
    )
