import json
from typing import Any

import pytest

from models.card.measurements import GivenMeasurement
from tests.forked import digress


def test_evaluation_is_one_json_object() -> None:
    done = digress("evaluate", "qm9", "-n", "60", "--num-steps", "20", "--json")

    measured = json.loads(done.stdout)
    assert measured["num_graphs"] == 60
    assert measured["num_steps"] == 20
    assert measured["values"]["valid"] > 0.85
    assert measured["values"]["fcd"] > 0
    assert measured["values"]["distance_logp"] > 0
    terms = {name: value for name, value in measured["values"].items() if name.startswith("nll")}
    assert terms.pop("nll") == pytest.approx(sum(terms.values()))
    assert len(terms) == 7


@pytest.fixture(scope="module")
def measured_comm20() -> Any:
    done = digress("evaluate", "comm20", "-n", "24", "--num-steps", "20", "--no-likelihood", "--json")
    return json.loads(done.stdout)


def test_graphs_without_chemistry_are_evaluated_by_their_own_measures(measured_comm20: Any) -> None:
    values = measured_comm20["values"]

    assert values["vun"] > 0.5
    assert values["ratio_degree"] < 20
    assert "fcd" not in values


def test_the_likelihood_is_left_out_on_demand(measured_comm20: Any) -> None:
    assert "--no-likelihood" in measured_comm20["command"]
    assert not any(name.startswith("nll") for name in measured_comm20["values"])


def test_completions_of_test_graphs_are_measured() -> None:
    done = digress("evaluate", "qm9", "--given", "formula", "-n", "20", "--num-steps", "5", "--json")

    measured = GivenMeasurement.model_validate_json(done.stdout)

    assert (measured.kind, measured.num_sources, measured.num_graphs) == ("formula", 20, 20)
    assert measured.values["kept"] == 1
    assert measured.values["fcd"] > 0
    assert measured.command.startswith("digress evaluate qm9 -n 20 --sampler mixed")
    assert "--given formula" in measured.command


def test_a_number_that_the_test_graphs_cannot_share_is_refused() -> None:
    done = digress("evaluate", "qm9", "--given", "parts", "-n", "201")

    assert done.returncode == 1
    assert "-n must be a multiple of the 200 test graphs" in done.stderr


def test_near_tells_what_is_left_by_noise() -> None:
    done = digress("evaluate", "qm9", "--given", "near", "-n", "4", "--num-steps", "5", "--json")

    similarity = GivenMeasurement.model_validate_json(done.stdout).similarity

    assert list(similarity) == sorted(similarity)
    assert similarity[1.0] < similarity[0.02] <= 1
