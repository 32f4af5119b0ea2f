import time

import pytest

from app.schemas import GraphFilter
from models.generation import Generation, draw_round
from tests.servers import wait_until
from tests.worker.engine.batches import batches_of
from tests.worker.engine.conftest import Graphs, collected, ended, make_request
from worker.engine.engine import Engine
from worker.engine.job import TooLong
from worker.plans import plan
from worker.store import ModelStore

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def test_graphs_drawn_in_place_of_others_are_those_of_a_larger_request(store: ModelStore, engine: Engine) -> None:
    request = make_request(30).model_copy(update={"filter": GraphFilter(connected=True)})
    job, _ = engine.submit(request), engine.submit(make_request(50, seed=9))
    collected(batches_of(job))

    job.draw_more([31, 57, 99])
    more: Graphs = {}
    while len(more) < 3:
        if batch := job.next_batch(timeout=5):
            more |= collected(iter([batch]))

    model = store.model("tiny")
    generation = Generation(model, plan(make_request(100), model.card))
    assert more == collected(draw_round(generation, chosen=[31, 57, 99]))
    assert job.fraction == 1


def test_progress_rises_with_the_steps(engine: Engine) -> None:
    job = engine.submit(make_request(60))

    seen = [job.fraction for _ in batches_of(job)]

    assert len(seen) > 5
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_a_job_that_is_called_off_ends_and_the_others_go_on(store: ModelStore, engine: Engine) -> None:
    unwanted, wanted = engine.submit(make_request(5_000)), engine.submit(make_request(20))
    wait_until(lambda: unwanted.fraction > 0, seconds=20)

    unwanted.cancel(RuntimeError("enough"))

    assert str(ended(unwanted)) == "enough"
    assert len(collected(batches_of(wanted))) == 20


def test_a_job_ends_when_its_time_is_up_and_others_do_not_count(engine: Engine) -> None:
    job, beside = engine.submit(make_request(5_000), limit_seconds=0.3), engine.submit(make_request(5_000))
    started = time.monotonic()

    assert isinstance(ended(job), TooLong)
    assert time.monotonic() - started > 0.45  # half of it for the other
    assert job.fraction < 1
    beside.cancel(RuntimeError("enough"))


def test_work_in_the_jobs_own_thread_counts_against_its_time(engine: Engine) -> None:
    job = engine.submit(make_request(5), limit_seconds=0.2)
    with job.own_work():
        pass

    with pytest.raises(TooLong), job.own_work():
        time.sleep(0.21)
