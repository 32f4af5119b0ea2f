"""Steering real samples of the shipped checkpoint, and the parts that need no checkpoint."""

from collections.abc import Mapping, Sequence

import pytest
import torch

from models.card.config import Estimator, Sampler
from models.checkpoint import LoadedModel
from models.conditional import Goal, Steering
from models.descriptors import describe
from models.evaluation.molecules import smiles_of
from models.generation import generate
from models.graphs import GraphBatch
from models.plan import GenerationPlan
from models.properties import PropertyDistribution
from tests.conftest import make_card, make_denoiser, make_regressor, make_regressor_card

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def make_goal(targets: Mapping[str, float | Sequence[float]], **changes: object) -> Goal:
    return Goal(**({"targets": targets, "estimator": "proposals", "scale": 20.0} | changes))  # type: ignore[arg-type]


def drawn(model: LoadedModel, num_graphs: int, goal: Goal, *, num_steps: int = 10) -> dict[int, str | None]:
    plan = GenerationPlan(num_graphs, 1, model.card.max_nodes, 3, "ancestral", "polydec", num_steps, goal)
    found: dict[int, str | None] = {}
    for batch in generate(model, plan):
        found |= zip(batch.indices.tolist(), smiles_of(model.card, batch.graphs), strict=True)
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("estimator", ["proposals", "gradient"])
def test_the_mean_logp_of_real_samples_rises_with_its_target(qm9_model: LoadedModel, estimator: str) -> None:
    means = []
    for target in (-1.5, 0.0, 1.5):
        goal = make_goal({"logp": target}, estimator=estimator, scale=qm9_model.card.guidance.scales[estimator])  # type: ignore[index]
        valid = [smiles for smiles in drawn(qm9_model, 16, goal, num_steps=15).values() if smiles]
        assert len(valid) >= 12
        means.append(sum(describe(smiles)["logp"] for smiles in valid) / len(valid))

    assert means[0] + 0.6 < means[1] < means[2] - 0.6


def test_graphs_of_one_plan_may_have_targets_of_their_own(qm9_model: LoadedModel) -> None:
    low, high = (drawn(qm9_model, 8, make_goal({"mu": target})) for target in (0.5, 5.0))

    mixed = drawn(qm9_model, 8, make_goal({"mu": [0.5, 5.0] * 4}))

    assert mixed == {index: (high if index % 2 else low)[index] for index in range(8)}


def test_a_guided_graph_is_a_function_of_its_index_not_of_the_number_asked_for(qm9_model: LoadedModel) -> None:
    goal = make_goal({"mu": 2.0, "homo": -6.0}, candidates=2)

    few, many = drawn(qm9_model, 3, goal), drawn(qm9_model, 12, goal)

    assert few == {index: many[index] for index in range(3)}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("sampler", "num_steps"),
    [("ancestral", 1), ("ancestral", 2), ("ancestral", 7), ("ancestral", 50), ("renoise", 10), ("mixed", 10)],
)
@pytest.mark.parametrize("estimator", ["proposals", "gradient"])
def test_guidance_acts_with_every_sampler_and_any_number_of_steps(
    estimator: Estimator, sampler: Sampler, num_steps: int
) -> None:
    card = make_card().with_regressor(make_regressor_card())
    model = LoadedModel(card, make_denoiser(card), [make_regressor(card)])
    predicted = []

    for value in (-3.0, 3.0):
        goal = make_goal({"a": value}, estimator=estimator)
        plan = GenerationPlan(min(50, 500 // num_steps), 9, 9, 3, sampler, "polydec", num_steps, goal)
        batches = list(generate(model, plan))
        predicted.append(
            float(torch.cat([batch.properties.values["a"] for batch in batches if batch.properties]).mean())
        )

    assert predicted[0] < predicted[1] - 0.05


def test_a_light_molecule_is_a_small_one(qm9_model: LoadedModel) -> None:
    found = drawn(qm9_model, 16, make_goal({"mw": 60.0}))

    weights = [describe(smiles)["mw"] for smiles in found.values() if smiles]
    assert sum(weights) / len(weights) < 85


def test_the_candidate_to_be_expected_nearest_is_kept() -> None:
    card = make_card().with_regressor(make_regressor_card()).model_copy(update={"domain": "graph"})
    regressor, denoiser = make_regressor(card), make_denoiser(card)
    goal = make_goal({"a": 2.0}, candidates=4, scale=0.0)

    def distances(goal: Goal) -> torch.Tensor:
        """Of the graphs from the target, in the order of the plan."""
        plan = GenerationPlan(20, 9, 9, 5, "ancestral", "polydec", 5, goal)
        found = torch.zeros(20)
        for batch in generate(LoadedModel(card, denoiser, [regressor]), plan):
            with torch.autocast("cpu", torch.bfloat16):
                predicted: PropertyDistribution = regressor(batch.graphs, torch.zeros_like(batch.indices))[[0]]
            found[batch.indices] = predicted.expected_error(torch.full((len(batch.indices), 1), 2.0))[:, 0]
        return found

    one, four = distances(make_goal({"a": 2.0}, scale=0.0)), distances(goal)

    # The first candidate is the graph that would be drawn without others.
    assert (four <= one + 1e-2).all()
    assert four.mean() < one.mean()


def test_a_sound_molecule_is_kept_before_a_broken_one_that_is_nearer() -> None:
    card = make_card().with_regressor(make_regressor_card())
    model = LoadedModel(card, make_denoiser(card), [make_regressor(card)])
    steering = Steering(model, make_goal({"a": 2.0}, candidates=2), num_graphs=1, grid=[50, 25, 0])
    chain = torch.diag(torch.ones(4, dtype=torch.long), 1)
    doubled = torch.zeros(5, 5, dtype=torch.long)
    doubled[0, 1:] = 2  # four double bonds at a carbon

    for order in ([chain, doubled], [doubled, chain]):
        edges = torch.stack([upper + upper.T for upper in order])
        graphs = GraphBatch(torch.zeros(2, 5, dtype=torch.long), edges, torch.tensor([5, 5]))
        kept = steering.distance(graphs, torch.tensor([0, 0])).argmin()
        assert torch.equal(graphs.edges[kept], chain + chain.T)
