from app.schemas import CompletedConditionalRequest, CompletedRequest, SizeRange
from models.conditional import Goal
from tests.conftest import make_card
from worker.plans import plan

CARD = make_card()
ASKED = {"model": "tiny", "num_graphs": 3, "seed": 7, "sampler": "mixed", "num_steps": 10}


def test_a_plan_is_what_was_asked_for_and_otherwise_as_the_card_says() -> None:
    planned = plan(CompletedRequest.model_validate(ASKED | {"keep_frames": 2}), CARD)

    assert (planned.num_graphs, planned.seed, planned.sampler, planned.num_steps) == (3, 7, "mixed", 10)
    assert (planned.grid, planned.eta) == (CARD.sampling.grid, CARD.sampling.eta)
    assert (planned.keep_frames, planned.goal) == (2, None)


def test_sizes_are_all_that_the_model_has_or_those_asked_for() -> None:
    ranges = []
    for num_nodes in (None, 4, SizeRange(min=3, max=6)):
        planned = plan(CompletedRequest.model_validate(ASKED | {"num_nodes": num_nodes}), CARD)
        ranges.append((planned.min_nodes, planned.max_nodes))

    assert ranges == [(1, 9), (4, 4), (3, 6)]


def test_a_request_with_targets_has_a_goal() -> None:
    wanted = {"targets": {"a": 1.0}, "guidance_scale": 5.0, "estimator": "gradient", "candidates": 2}

    planned = plan(CompletedConditionalRequest.model_validate(ASKED | wanted), CARD)

    assert planned.goal == Goal({"a": 1.0}, "gradient", 5.0, 2)


def test_what_is_given_is_in_the_plan_and_the_strength_of_near_decides_where_it_begins() -> None:
    kept = plan(CompletedRequest.model_validate(ASKED | {"given": {"smiles": "CCO*"}}), CARD)
    noises = []
    for strength in (0.1, 0.5):
        near = plan(CompletedRequest.model_validate(ASKED | {"near": {"smiles": "CCOCC", "strength": strength}}), CARD)
        assert near.near is not None
        noises.append(near.near.noise)
    whole = plan(CompletedRequest.model_validate(ASKED | {"near": {"smiles": "CCOCC", "strength": 0.0}}), CARD)

    assert [len(part) for part in kept.given] == [3]
    assert 0 < noises[0] < noises[1] < 1
    assert (whole.near, len(whole.given[0])) == (None, 5)
