import json
from typing import Any

import pytest

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
