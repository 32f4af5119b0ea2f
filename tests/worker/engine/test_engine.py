"""The engine as jobs see it: the same graphs in any company, and nobody else's trouble."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.schemas import AnyCompletedRequest, CompletedConditionalRequest, CompletedRequest
from models.card.folder import CardError, write_card
from models.checkpoint import save_checkpoint, save_regressor
from models.compute.precision import has_native_bfloat16
from models.generation import Cohort, GeneratedBatch, Generation, advance, draw_round, generate
from tests.conftest import make_card, make_denoiser, make_regressor, make_regressor_card
from tests.servers import wait_until
from tests.worker.engine.batches import batches_of
from worker.engine import admission, parallel
from worker.engine.budget import Budget
from worker.engine.engine import Engine
from worker.engine.job import EngineJob, EngineStopped, TooLarge, TooLong
from worker.engine.schedule import Schedule
from worker.plans import plan
from worker.store import ModelStore, UnknownModel

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
SMALL = Budget(largest=900, overhead=100, lanes=2)
Graphs = dict[int, tuple[list[int], list[list[int]]]]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    for name, seed in (("tiny", 0), ("other", 5)):
        card = make_card().model_copy(update={"name": name})
        card = save_checkpoint(card, make_denoiser(card, seed), tmp_path / name)
        save_regressor(card, make_regressor_card(), make_regressor(card), tmp_path / name)
    return ModelStore(tmp_path, torch.device("cpu"))


@pytest.fixture
def engine(store: ModelStore) -> Iterator[Engine]:
    with Engine(store, SMALL) as engine:
        yield engine


def make_request(num_graphs: int = 5, **changes: Any) -> CompletedRequest:
    fields = {"model": "tiny", "num_graphs": num_graphs, "seed": 7, "sampler": "ancestral", "num_steps": 10}
    return CompletedRequest.model_validate(fields | changes)


def make_guided(num_graphs: int = 5, **changes: Any) -> CompletedConditionalRequest:
    fields = make_request(num_graphs).model_dump() | {"targets": {"a": 1.0}, "guidance_scale": 5.0}
    return CompletedConditionalRequest.model_validate(fields | {"estimator": "proposals", "candidates": 2} | changes)


def collected(batches: Iterator[GeneratedBatch]) -> Graphs:
    found: Graphs = {}
    for batch in batches:
        for row, (index, size) in enumerate(zip(batch.indices.tolist(), batch.graphs.num_nodes.tolist(), strict=True)):
            nodes, edges = batch.graphs.nodes[row, :size], batch.graphs.edges[row, :size, :size]
            found[index] = (nodes.tolist(), edges.tolist())
    return found


def drawn_alone(store: ModelStore, request: AnyCompletedRequest) -> Graphs:
    model = store.model(request.model)
    return collected(generate(model, plan(request, model.card)))


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


def test_graphs_drawn_again_are_others_and_the_same_in_any_company(store: ModelStore, engine: Engine) -> None:
    request = make_request(30)
    job, _ = engine.submit(request), engine.submit(make_request(50, seed=9))
    first = collected(batches_of(job))

    job.draw_again([3, 17, 29], round_number=2)
    again: Graphs = {}
    while len(again) < 3:
        if batch := job.next_batch(timeout=5):
            again |= collected(iter([batch]))

    model = store.model("tiny")
    generation = Generation(model, plan(request, model.card))
    assert again == collected(draw_round(generation, chosen=[3, 17, 29], round_number=2))
    assert all(again[index] != first[index] for index in again)
    assert job.fraction == 1


def test_progress_rises_with_the_steps(engine: Engine) -> None:
    job = engine.submit(make_request(60))

    seen = [job.fraction for _ in batches_of(job)]

    assert len(seen) > 5
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_an_unknown_or_broken_model_is_said_at_once(store: ModelStore, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "other" / "weights.safetensors").write_bytes(b"?")

    with pytest.raises(UnknownModel, match="nonesuch"):
        engine.submit(make_request(model="nonesuch"))
    with pytest.raises(CardError, match="sha256"):
        engine.submit(make_request(model="other"))


def ended(job: EngineJob) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        for _ in batches_of(job):
            pass
    return caught.value


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


def test_an_error_at_the_beginning_or_the_end_of_graphs_is_that_jobs_own(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_three(generation: Generation, *arguments: Any, **options: Any) -> Any:
        if generation.plan.num_graphs == 3:
            raise RuntimeError("out of order")
        return original(generation, *arguments, **options)

    for method in ("start", "finish"):
        original = getattr(Generation, method)
        with monkeypatch.context() as patch:
            patch.setattr(Generation, method, fail_for_three)
            bad, good = engine.submit(make_request(3)), engine.submit(make_request(5))

            assert str(ended(bad)) == "out of order"
            assert len(collected(batches_of(good))) == 5
    assert engine.is_running


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


def test_an_error_in_a_step_ends_the_jobs_in_it_and_no_other(
    store: ModelStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = store.model("other")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(broken.denoiser, "forward", fail)
    bad, good = engine.submit(make_request(model="other")), engine.submit(make_request())

    assert str(ended(bad)) == "out of order"
    assert len(collected(batches_of(good))) == 5
    assert len(collected(batches_of(engine.submit(make_request())))) == 5


def test_a_step_that_memory_cannot_hold_is_made_smaller(
    store: ModelStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = drawn_alone(store, make_request(40))
    sizes = []

    def advance_a_few(cohorts: Sequence[Cohort]) -> list[Cohort]:
        if sum(cohort.cost for cohort in cohorts) > 300:
            raise torch.OutOfMemoryError("out of memory")
        sizes.append(len(cohorts))
        return advance(cohorts)

    monkeypatch.setattr(parallel, "advance", advance_a_few)

    assert collected(batches_of(engine.submit(make_request(40)))) == expected
    assert max(sizes) > 1
    assert engine.prepare("tiny").largest < SMALL.largest
    # Nine networks' worth of a single graph.
    assert isinstance(ended(engine.submit(make_guided(2))), TooLarge)


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
    job.draw_again([0, 1], round_number=1)
    again = job.next_batch(timeout=20)

    assert first
    assert again is not None
    assert engine.has_room_for("")
    with pytest.raises(UnknownModel, match="has been unloaded"):
        engine.submit(make_request(5))
