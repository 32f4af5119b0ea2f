"""The protocol of measuring steering, on the shipped checkpoint and with measures whose answer is known."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pytest
import torch

from models.checkpoint import LoadedModel, load_regressors
from models.conditional import Goal
from models.data import qm9, qm9_properties
from models.descriptors import describe
from models.evaluation.guidance import (
    Protocol,
    Values,
    by_judge,
    by_rdkit,
    draw_targets,
    evaluate_guidance,
    steered_values,
)
from models.evaluation.molecules import EvaluationError
from models.plan import GenerationPlan

NAMES = [source.name for source in qm9_properties.PROPERTIES]


def make_plan(goal: Goal | None, num_graphs: int = 12) -> GenerationPlan:
    return GenerationPlan(num_graphs, 1, 9, 6, "ancestral", "polydec", 10, goal)


GOAL = Goal(targets={"logp": 0.0}, estimator="proposals", scale=20.0)


def test_targets_are_those_of_test_molecules_and_of_one_molecule_together(qm9_model: LoadedModel) -> None:
    values = qm9_properties.load_properties()["test"]
    known = {(row[NAMES.index("mu")].item(), row[NAMES.index("homo")].item()) for row in values}

    targets = draw_targets(qm9_model.card, ["mu", "homo"], 50, seed=1)

    assert set(zip(targets["mu"], targets["homo"], strict=True)) <= known
    assert targets == draw_targets(qm9_model.card, ["mu", "homo"], 50, seed=1)
    assert targets != draw_targets(qm9_model.card, ["mu", "homo"], 50, seed=2)
    with pytest.raises(EvaluationError, match="test molecules"):
        draw_targets(qm9_model.card, ["mu"], len(values) + 1, seed=1)


def test_the_error_is_the_distance_of_each_graph_from_the_target_it_was_given(qm9_model: LoadedModel) -> None:
    measured: list[list[str]] = []

    def measure(smiles: Sequence[str]) -> list[Values | None]:
        measured.append(list(smiles))
        return [None, *({"logp": 1.5} for _ in smiles[1:])]

    plan = make_plan(GOAL)
    measurement = evaluate_guidance(qm9_model, plan, Protocol(["logp"], "rdkit", measure))

    guided, unguided = measured
    assert len(guided) == plan.num_graphs, "choose another seed: the expectation below needs every graph valid"
    targets = draw_targets(qm9_model.card, ["logp"], plan.num_graphs, seed=plan.seed)["logp"]
    assert measurement.mae["logp"] == pytest.approx(fmean(abs(1.5 - target) for target in targets[1:]), abs=1e-4)
    assert measurement.measured == pytest.approx(11 / 12, abs=1e-4)
    assert measurement.unguided_measured == pytest.approx((len(unguided) - 1) / 12, abs=1e-4)


def test_without_a_goal_or_without_values_there_is_nothing_to_measure(qm9_model: LoadedModel) -> None:
    protocol = Protocol(["logp"], "rdkit", lambda smiles: [None for _ in smiles])

    with pytest.raises(EvaluationError, match="has no targets"):
        evaluate_guidance(qm9_model, make_plan(None), protocol)
    with pytest.raises(EvaluationError, match="of 4 graphs 0 could be measured"):
        evaluate_guidance(qm9_model, make_plan(GOAL, 4), protocol)
    with pytest.raises(EvaluationError, match="none of 4 graphs"):
        steered_values(qm9_model, make_plan(GOAL, 4), "logp", protocol.measure_with)


def test_measures_say_what_is_published(qm9_model: LoadedModel, qm9_folder: Path) -> None:
    smiles = qm9.read_smiles()["test"][:300]
    published = qm9_properties.load_properties()["test"][:300]
    card = qm9_model.card
    (described,) = [known for known in card.regressors if known.role == "judge"]
    (judge,) = load_regressors(card, qm9_folder, "judge")

    judged = by_judge(judge, [known.name for known in described.properties], card)(smiles)
    exact = by_rdkit(smiles)

    def error(values: Sequence[Values | None], name: str) -> float:
        found = torch.tensor([value[name] for value in values if value is not None])
        return float((found - published[:, NAMES.index(name)]).abs().mean())

    assert exact[0] == describe(smiles[0])
    assert [error(exact, name) for name in ("logp", "qed", "mw")] == pytest.approx([0, 0, 0], abs=1e-4)
    assert error(judged, "mu") < 0.6
    assert error(judged, "homo") < 0.1
    assert error(judged, "logp") < 0.05
