import json

import pytest

from app.commands.evaluate_given import with_measured
from models.card.card import SimilarityPoint
from models.card.measurements import GivenMeasurement
from tests.conftest import make_card
from tests.forked import digress


def test_completions_of_test_graphs_are_measured() -> None:
    done = digress("evaluate", "qm9", "--given", "formula", "-n", "20", "--num-steps", "5", "--json")

    measured = GivenMeasurement.model_validate_json(done.stdout)

    assert (measured.kind, measured.num_sources, measured.num_graphs) == ("formula", 20, 20)
    assert measured.values["kept"] == 1
    assert measured.values["fcd"] > 0
    assert "--given formula -n 20" in measured.command


def test_a_number_that_cannot_be_shared_out_is_refused() -> None:
    done = digress("evaluate", "qm9", "--given", "parts", "-n", "201")

    assert done.returncode == 1
    assert "-n must be a multiple of the 200 test graphs" in done.stderr


def test_near_gives_a_curve() -> None:
    done = digress("evaluate", "qm9", "--given", "near", "-n", "4", "--num-steps", "5", "--json")

    curve = [SimilarityPoint.model_validate(point) for point in json.loads(done.stdout)]

    assert curve[0] == SimilarityPoint(noise=0, similarity=1, unchanged=1)
    assert curve[-1].similarity < 0.5


@pytest.mark.parametrize("number", [1, 2])
def test_what_was_measured_is_in_the_card_in_place_of_an_earlier_one(number: int) -> None:
    values = {"version": "1", "kind": "parts", "num_sources": 2, "num_graphs": 4, "sampler": "mixed", "eta": 0.2}
    settings = {"grid": "polydec", "num_steps": 50, "seed": 1, "command": "digress", "values": {"kept": 1.0}}
    one = GivenMeasurement.model_validate(values | settings)
    other = one.model_copy(update={"num_graphs": 4 * number})
    curve = [SimilarityPoint(noise=0, similarity=1, unchanged=1)]

    card = with_measured(with_measured(with_measured(make_card(), one), other), curve)

    assert len(card.given_metrics) == number
    assert card.similarity_curve == curve
