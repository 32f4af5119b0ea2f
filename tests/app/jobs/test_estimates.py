from datetime import UTC, datetime, timedelta

import pytest

from app.jobs.estimates import capacity, until_done, until_end, work_seconds
from app.jobs.reports import WorkerReport
from app.schemas import CompletedRequest
from tests.conftest import make_card

SLOW = WorkerReport(capacity={"tiny": 100}, pace={"tiny": 1e-3}, speed=1.0, left=10.0)
FAST = WorkerReport(capacity={"tiny": 900, "other": 5}, pace={"tiny": 1e-4}, speed=3.0, left=2.0)


def test_a_model_can_do_what_its_largest_worker_can() -> None:
    assert capacity("tiny", [SLOW, FAST]) == 900
    assert capacity("other", [SLOW, FAST]) == 5
    assert capacity("none", [SLOW, FAST]) is None


def test_work_is_its_cost_at_the_pace_of_the_fastest_worker() -> None:
    request = CompletedRequest(model="tiny", num_graphs=10, num_nodes=9, seed=1, sampler="ancestral", num_steps=10)

    # Ten steps of ten graphs of nine nodes.
    assert work_seconds(request, make_card(), [SLOW, FAST]) == pytest.approx(100 * 81 * 1e-4)
    assert work_seconds(request, make_card(), [SLOW]) == pytest.approx(100 * 81 * 1e-3)
    assert work_seconds(request, make_card(), []) > 0


def test_work_is_done_after_what_the_workers_have_taken_already() -> None:
    assert until_done(8.0, [SLOW, FAST]) == (8 + 12) / 4
    assert until_done(8.0, []) is None


def test_a_running_job_ends_at_its_present_speed_once_that_is_known() -> None:
    started = datetime.now(UTC) - timedelta(seconds=30)

    assert until_end(started, 0.75) == pytest.approx(10, abs=0.5)
    assert until_end(started, 0.01) is None
    assert until_end(started, 1.0) == 0
