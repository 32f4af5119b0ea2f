"""The engine as jobs see it: the same graphs in any company, and nobody else's trouble."""

import threading
from pathlib import Path

import pytest
import torch

from app.schemas import AnyCompletedRequest
from models.card.folder import CardError, write_card
from models.compute.precision import has_native_bfloat16
from tests.servers import wait_until
from tests.worker.engine.batches import batches_of
from tests.worker.engine.conftest import SMALL, collected, drawn_alone, ended, make_guided, make_request
from worker.engine.engine import Engine
from worker.engine.job import EngineJob, EngineStopped
from worker.engine.schedule import Schedule
from worker.store import ModelStore, UnknownModel

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@pytest.mark.thorough
@pytest.mark.skipif(
    not has_native_bfloat16(torch.device("cpu")), reason="the promise to the bit is for bfloat16 arithmetic"
)
def test_a_jobs_graphs_are_the_same_alone_and_in_any_company(store: ModelStore, engine: Engine) -> None:
    requests: list[AnyCompletedRequest] = [
        make_request(40),
        make_request(1, seed=8),
        make_request(7, sampler="renoise"),
        make_request(3, num_steps=3),
        make_request(12, model="other"),
        make_guided(6),
        make_guided(2, targets={"a": -2.0}, candidates=1),
        make_guided(2, targets={"b": 0.0, "a": 0.5}, estimator="gradient"),
        make_guided(3, targets={"b": 1.0, "a": -0.5}, estimator="gradient", num_steps=30),
        make_request(4, sampler="mixed"),
        make_guided(3, sampler="renoise"),
        make_guided(3, sampler="mixed", estimator="gradient"),
        make_guided(4, num_steps=1),
    ]

    jobs = [engine.submit(request) for request in requests]

    for request, job in zip(requests, jobs, strict=True):
        assert collected(batches_of(job)) == drawn_alone(store, request)


def test_a_job_that_others_died_over_goes_before_those_of_high_priority(store: ModelStore, engine: Engine) -> None:
    ended: list[str] = []

    def follow(name: str, job: EngineJob) -> None:
        collected(batches_of(job))
        ended.append(name)

    jobs = {
        "high": engine.submit(make_request(40, priority="high")),
        "low": engine.submit(make_request(40, priority="low"), tries_lost=3),
    }
    threads = [threading.Thread(target=follow, args=pair) for pair in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ended == ["low", "high"]


def test_an_unknown_or_broken_model_is_said_at_once(store: ModelStore, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "other" / "weights.safetensors").write_bytes(b"?")

    with pytest.raises(UnknownModel, match="nonesuch"):
        engine.submit(make_request(model="nonesuch"))
    with pytest.raises(CardError, match="sha256"):
        engine.submit(make_request(model="other"))


def test_an_engine_with_a_fault_says_so_to_all(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    with Engine(store, SMALL) as engine:
        monkeypatch.setattr(Schedule, "next_step", fail)
        job = engine.submit(make_request())

        assert isinstance(ended(job), EngineStopped)
        wait_until(lambda: not engine.is_running, seconds=10)
        with pytest.raises(EngineStopped):
            engine.submit(make_request())


def test_an_engine_that_stops_says_so_to_its_jobs(store: ModelStore) -> None:
    with Engine(store, SMALL) as engine:
        job = engine.submit(make_request(5_000))
        wait_until(lambda: job.fraction > 0, seconds=20)

    assert isinstance(ended(job), EngineStopped)
    assert "engine" not in [thread.name for thread in threading.enumerate()]


def test_a_model_whose_card_has_changed_is_read_again(store: ModelStore, engine: Engine, tmp_path: Path) -> None:
    before = store.model("tiny").card
    sizes = {len(graph[0]) for graph in collected(batches_of(engine.submit(make_request(20)))).values()}
    write_card(before.model_copy(update={"size_distribution": {4: 1.0}}), tmp_path / "tiny")

    engine.refresh_models(frozenset())
    now = {len(graph[0]) for graph in collected(batches_of(engine.submit(make_request(20)))).values()}

    assert len(sizes) > 1
    assert now == {4}


def test_what_has_begun_goes_on_when_its_model_is_unloaded(engine: Engine) -> None:
    job = engine.submit(make_request(5))
    first = list(batches_of(job))

    engine.refresh_models(frozenset({"tiny"}))
    job.draw_more([0, 1])
    again = job.next_batch(timeout=20)

    assert first
    assert again is not None
    assert engine.has_room_for("")
    with pytest.raises(UnknownModel, match="has been unloaded"):
        engine.submit(make_request(5))
