from dataclasses import replace

import pytest

from tests.servers import wait_until
from tests.worker.engine.batches import batches_of
from tests.worker.engine.conftest import SMALL, collected, ended, make_request
from worker.engine import admission
from worker.engine.budget import Budget
from worker.engine.engine import Engine
from worker.engine.job import TooLarge
from worker.store import ModelStore

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def test_there_is_no_room_for_more_than_the_engine_can_do_soon(engine: Engine) -> None:
    assert engine.has_room_for("")

    jobs = [engine.submit(make_request(10_000)) for _ in range(2)]

    wait_until(lambda: not engine.has_room_for(""), seconds=10)
    for job in jobs:
        job.cancel(RuntimeError("enough"))
    wait_until(lambda: engine.has_room_for(""), seconds=10)


@pytest.mark.parametrize(("pace", "has_room"), [(1.0, False), (1e-9, True)])
def test_with_much_to_do_it_takes_few_jobs_and_with_little_many(store: ModelStore, pace: float, has_room: bool) -> None:
    with Engine(store, Budget(largest=90_000, overhead=100, pace=pace)) as engine:
        jobs = [engine.submit(make_request(2_000)) for _ in range(15)]
        assert engine.has_room_for("")

        jobs.append(engine.submit(make_request(2_000)))
        wait_until(lambda: len(engine._schedule) == len(jobs), seconds=10)

        assert engine.has_room_for("") == has_room
        assert engine.has_room_for("another")
        for job in jobs:
            job.cancel(RuntimeError("enough"))


def test_a_graph_that_memory_can_never_hold_is_refused(store: ModelStore) -> None:
    with Engine(store, replace(SMALL, fits=80)) as engine:
        assert isinstance(ended(engine.submit(make_request(5))), TooLarge)
        assert engine.report().capacity == {"tiny": 80}


def test_a_plan_that_cannot_begin_is_that_jobs_error(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no such plan")

    with monkeypatch.context() as patch:
        patch.setattr(admission, "plan", refuse)
        assert str(ended(engine.submit(make_request()))) == "no such plan"

    assert len(collected(batches_of(engine.submit(make_request())))) == 5
