from collections.abc import Iterator

import pytest
import torch

from models.compute.lanes import Lanes
from tests.worker.engine.conftest import SMALL
from worker.engine import capacity as capacity_module
from worker.engine.capacity import Capacity
from worker.store import ModelStore, UnknownModel
from worker.telemetry import WorkerMetrics


@pytest.fixture
def capacity(store: ModelStore) -> Iterator[Capacity]:
    lanes = Lanes(torch.device("cpu"))
    yield Capacity(store, lanes, WorkerMetrics(), SMALL)
    lanes.close()


def test_a_model_has_a_budget_once_it_is_prepared(capacity: Capacity) -> None:
    was_there = "tiny" in capacity

    budget = capacity.prepare("tiny")

    assert not was_there
    assert budget == capacity.current("tiny") == capacity.measured["tiny"] == SMALL
    assert "other" not in capacity
    with pytest.raises(UnknownModel):
        capacity.prepare("nonesuch")


def test_a_step_that_did_not_fit_halves_the_next_ones_for_a_while(
    capacity: Capacity, monkeypatch: pytest.MonkeyPatch
) -> None:
    capacity.prepare("tiny")

    smaller = capacity.shrink("tiny", cost=800)

    assert smaller.largest == 400
    assert capacity.prepare("tiny") == smaller
    assert capacity.measured["tiny"] == SMALL
    monkeypatch.setattr(capacity_module, "_SHRUNK_SECONDS", 0.0)
    assert capacity.prepare("tiny") == SMALL


def test_a_budget_is_never_made_larger_by_a_step_that_did_not_fit(capacity: Capacity) -> None:
    capacity.prepare("tiny")
    capacity.shrink("tiny", cost=200)

    assert capacity.shrink("tiny", cost=800).largest == 100


def test_a_model_that_is_forgotten_keeps_its_budget_until_it_is_measured_anew(capacity: Capacity) -> None:
    capacity.prepare("tiny")

    capacity.forget("tiny")

    assert capacity.current("tiny") == SMALL
    assert capacity.measured == {}
    assert capacity.prepare("tiny") == capacity.measured["tiny"]
