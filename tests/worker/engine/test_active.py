from collections.abc import Iterator

import pytest
import torch

from app.schemas import CompletedRequest
from models.compute.lanes import Lanes
from models.generation import Cohort, advance
from tests.worker.engine.conftest import MODEL, NUM_STEPS, make_work
from worker.engine.active import ActiveJobs
from worker.engine.job import EngineJob, OrderQueue
from worker.engine.schedule import Schedule

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    lanes = Lanes(torch.device("cpu"))
    yield lanes
    lanes.close()


def make_job(lanes: Lanes) -> EngineJob:
    request = CompletedRequest(model="tiny", num_graphs=2, seed=2, sampler="ancestral", num_steps=NUM_STEPS)
    return EngineJob(request, MODEL, orders=OrderQueue(), lanes=lanes, owner="", tries_lost=0, limit_seconds=None)


def test_a_job_has_its_graphs_when_they_are_finished_and_is_then_let_go(lanes: Lanes) -> None:
    schedule = Schedule()
    active, job, work = ActiveJobs(schedule), make_job(lanes), make_work(2)
    active.add(job, work)

    in_schedule = []
    while active:
        in_schedule.append(len(schedule))
        ((_, picks),) = schedule.next_step()
        cohorts: list[Cohort] = advance([work.begin(pick) for pick in picks])
        active.settle(work, cohorts)

    batch = job.next_batch(timeout=1)
    assert in_schedule == [1] * NUM_STEPS
    assert len(schedule) == 0
    assert batch is not None
    assert batch.indices.tolist() == [0, 1]


def test_a_job_that_ends_early_is_told_why_and_leaves_the_schedule(lanes: Lanes) -> None:
    schedule = Schedule()
    active, canceled, other = ActiveJobs(schedule), make_job(lanes), make_job(lanes)
    active.add(canceled, make_work(2))
    active.add(other, make_work(2))
    canceled.cancel(RuntimeError("enough"))
    canceled.cancel(RuntimeError("too late"))

    active.end_canceled()

    assert list(active) == [other]
    assert len(schedule) == 1
    with pytest.raises(RuntimeError, match="enough"):
        canceled.next_batch(timeout=1)
    assert other.next_batch(timeout=0) is None
