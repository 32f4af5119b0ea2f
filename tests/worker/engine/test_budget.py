"""What a device can do, found by trying."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch

from models.checkpoint import LoadedModel
from models.compute.lanes import Lanes
from models.generation import Cohort
from tests.conftest import make_card, make_denoiser
from worker.engine import budget as budget_module
from worker.engine.budget import Budget, measure

MODEL = LoadedModel(make_card(), make_denoiser(make_card()), [])
SECONDS = 0.01


@pytest.fixture
def lanes() -> Lanes:
    return Lanes(torch.device("cpu"), 2)


def test_overhead_and_pace_are_those_of_the_device(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def slow(cohorts: Sequence[Cohort]) -> list[Cohort]:
        nonlocal now
        now += SECONDS * (1 + sum(cohort.cost for cohort in cohorts) / 2_000)
        return list(cohorts)

    monkeypatch.setattr(budget_module, "advance", slow)
    monkeypatch.setattr(budget_module, "time", SimpleNamespace(perf_counter=lambda: now))

    found = measure(MODEL, lanes)

    # What a step of one graph takes counts as the overhead, though a part of it is the graph.
    assert found.overhead == pytest.approx(2_000, rel=0.05)
    assert found.pace == pytest.approx(SECONDS / 2_000, rel=0.01)
    assert found.largest == 20 * found.overhead * 2


def test_a_step_is_no_larger_than_memory(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_module, "available_bytes", lambda device: 1_000_000)

    found = measure(MODEL, lanes)

    assert found.largest == found.fits < 2**20


def test_a_real_budget_is_of_this_order(lanes: Lanes) -> None:
    found = measure(MODEL, lanes)

    assert 81 <= found.overhead < 2**20
    assert found.largest > 10 * found.overhead
    assert found.fits > found.largest


def test_small_steps_are_not_cut() -> None:
    budget = Budget(largest=10_000, overhead=500, lanes=4)

    assert [budget.num_parts(cost) for cost in (81, 1_999, 2_000, 3_500, 100_000)] == [1, 1, 2, 3, 4]
