"""Workers and servers that die, hang and come back: every job ends once, with the graphs that its seed determines.

Real processes, a real Valkey. What a job's graphs must be is drawn here, without any queue.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.jobs.keys import MODEL_CHANGES_KEY, UNLOADED_KEY, events_key, graphs_key, record_key
from app.jobs.queue import JobQueue
from app.schemas import CompletedRequest, JobStatus
from models.checkpoint import LoadedModel, save_checkpoint
from models.generation import generate
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, Forked, forked
from tests.servers import valkey, wait_until
from worker.encoding import encode
from worker.plans import plan

LEASE_SECONDS = 3
SOON = 1  # seconds: time to look for lost jobs, which a worker does every second, and less than a lease
PERSISTENT = ["--appendonly", "yes", "--appendfsync", "always"]
SHORT, LONG, ENDLESS = 5, 250, 10_000  # graphs
STEPS, FEW_STEPS = 50, 10


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "checkpoints" / "tiny")
    return tmp_path / "checkpoints"


def request(num_graphs: int, num_steps: int) -> CompletedRequest:
    return CompletedRequest(model="tiny", num_graphs=num_graphs, seed=7, sampler="ancestral", num_steps=num_steps)


@cache
def drawn_alone(num_steps: int) -> list[Any]:
    """What a job of `LONG` graphs must give; a shorter one gives the first of them."""
    model = LoadedModel(make_card(), make_denoiser(make_card()), [])
    batches = generate(model, plan(request(LONG, num_steps), model.card))
    drawn = dict(pair for batch in batches for pair in encode(batch, model.card))
    return [drawn[index].model_dump(mode="json") for index in range(LONG)]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with valkey(tmp_path) as url:
        yield url


class Service:
    """The queue as the API has it, and workers."""

    def __init__(self, url: str, checkpoints: Path) -> None:
        self.url, self._checkpoints = url, checkpoints
        self.redis = Redis.from_url(url)
        self._num_workers = 0

    def queue(self, timeout_seconds: int = 300) -> JobQueue:
        redis = AsyncRedis.from_url(self.url)
        return JobQueue(self.redis, redis, job_timeout_seconds=timeout_seconds, job_ttl_seconds=600)

    def submit(self, num_graphs: int, *, num_steps: int = STEPS, timeout_seconds: int = 300) -> str:
        return self.queue(timeout_seconds).submit(request(num_graphs, num_steps)).job_id

    def worker(self, **settings: str) -> AbstractContextManager[Forked]:
        self._num_workers += 1
        environment = {
            "DIGRESS_REDIS_URL": self.url,
            "DIGRESS_CHECKPOINTS": str(self._checkpoints),
            "DIGRESS_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        log = self._checkpoints.parent / f"worker-{self._num_workers}.log"
        return forked(WORKER, environment | settings, log)

    def status(self, job_id: str) -> JobStatus:
        return JobStatus(str(self.redis.hget(record_key(job_id), "status"), "ascii"))  # type: ignore[arg-type]

    def fraction(self, job_id: str) -> float:
        return float(self.redis.hget(record_key(job_id), "fraction") or 0)

    def graphs(self, job_id: str) -> Any:
        return [json.loads(graph) for graph in self.redis.lrange(graphs_key(job_id), 0, -1)]

    def events(self, job_id: str) -> list[str]:
        entries: Any = self.redis.xrange(events_key(job_id))
        return [fields[b"event"].decode() for _, fields in entries]

    def log(self, worker: int) -> str:
        return (self._checkpoints.parent / f"worker-{worker}.log").read_text()

    def wait_for_start(self, job_id: str) -> None:
        wait_until(lambda: self.fraction(job_id) > 0, seconds=60)

    def wait_for_end(self, *job_ids: str, seconds: float = 90) -> None:
        wait_until(lambda: all(self.status(job_id).is_final for job_id in job_ids), seconds=seconds)

    def assert_drawn_once(self, job_id: str, num_graphs: int, *, num_steps: int = STEPS) -> None:
        assert self.status(job_id) == JobStatus.SUCCEEDED
        assert self.events(job_id).count("succeeded") == 1
        assert self.graphs(job_id) == drawn_alone(num_steps)[:num_graphs]

    def wait_until_leases_run_out(self) -> None:
        """For who is stopped and renews none."""
        leases: Any = self.redis.zrange("rq:wip:digress", 0, -1, withscores=True)
        assert leases
        wait_until(lambda: time.time() > max(until for _, until in leases) + 0.5, seconds=2 * LEASE_SECONDS)

    def wait_until_idle(self) -> None:
        """RQ's books are closed soon after the record."""
        keys = ("rq:queue:digress", "rq:queue:digress:intermediate")
        wait_until(lambda: self.redis.zcard("rq:wip:digress") == 0, seconds=10)
        assert [self.redis.llen(key) for key in keys] == [0, 0]


@pytest.fixture
def service(url: str, checkpoints: Path) -> Service:
    return Service(url, checkpoints)


def test_told_to_stop_a_worker_hands_back_what_it_cannot_end_in_time(service: Service) -> None:
    with service.worker(DIGRESS_DRAIN_SECONDS="0.5") as first:
        long = [service.submit(LONG) for _ in range(2)]
        service.wait_for_start(long[0])
        short = service.submit(SHORT)
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0

    assert [service.status(job_id) for job_id in long] == [JobStatus.QUEUED] * 2
    retries = [service.redis.hget(f"rq:job:{job_id}", "retries_left") for job_id in long]
    assert retries == [b"6"] * 2
    with service.worker():
        service.wait_for_end(*long, short)
        service.wait_until_idle()
    for job_id in long:
        service.assert_drawn_once(job_id, LONG)
    service.assert_drawn_once(short, SHORT)


def test_a_worker_that_hung_past_its_lease_does_not_disturb_the_one_that_took_over(service: Service) -> None:
    with service.worker() as zombie:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        zombie.send_signal(signal.SIGSTOP)
        with service.worker():
            service.wait_for_end(job_id)
            before = service.redis.hgetall(record_key(job_id))
            zombie.send_signal(signal.SIGCONT)
            again = service.submit(SHORT)
            service.wait_for_end(again)
            wait_until(lambda: "job already ended" in service.log(1), seconds=30)
            service.wait_until_idle()
        begun = [line for line in service.log(2).splitlines() if "job begins" in line and job_id in line]
        assert "tries_lost=1" in begun[0]

    service.assert_drawn_once(job_id, LONG)
    assert service.redis.hgetall(record_key(job_id)) == before


def test_a_worker_that_wakes_while_another_has_its_job_lets_go(service: Service) -> None:
    with service.worker() as zombie:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        zombie.send_signal(signal.SIGSTOP)
        with service.worker() as other:
            wait_until(lambda: service.events(job_id).count("status") == 3, seconds=60)
            other.send_signal(signal.SIGSTOP)  # lest it be done by then
            zombie.send_signal(signal.SIGCONT)
            wait_until(lambda: "a lease is lost" in service.log(1), seconds=10)
            assert not service.status(job_id).is_final
            other.send_signal(signal.SIGCONT)
            service.wait_for_end(job_id)
            service.wait_until_idle()

    service.assert_drawn_once(job_id, LONG)


def test_a_lone_worker_that_was_held_up_past_its_lease_goes_on_with_its_job(service: Service) -> None:
    with service.worker() as worker:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        worker.send_signal(signal.SIGSTOP)
        service.wait_until_leases_run_out()
        worker.send_signal(signal.SIGCONT)
        service.wait_for_end(job_id)
        service.wait_until_idle()

    service.assert_drawn_once(job_id, LONG)
    assert service.events(job_id).count("status") == 2  # queued and running, once each


def test_redis_restarted_in_the_middle_of_a_job(tmp_path: Path, checkpoints: Path) -> None:
    with valkey(tmp_path, options=PERSISTENT) as url:
        service = Service(url, checkpoints)
        worker = service.worker()
        worker.__enter__()
        running_job = service.submit(LONG)
        service.wait_for_start(running_job)
        queued = [service.submit(SHORT) for _ in range(3)]
    try:
        port = int(url.rsplit(":", 1)[1].removesuffix("/0"))
        time.sleep(1)
        with valkey(tmp_path, port=port, options=PERSISTENT):
            service.wait_for_end(running_job, *queued)
            service.assert_drawn_once(running_job, LONG)
            for job_id in queued:
                service.assert_drawn_once(job_id, SHORT)
            service.wait_until_idle()
    finally:
        worker.__exit__(None, None, None)


@pytest.mark.parametrize(
    "seconds", [pytest.param(LEASE_SECONDS + 1, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.slow)]
)
def test_redis_out_of_reach_for_a_while(service: Service, seconds: int) -> None:
    with service.worker():
        jobs = {service.submit(size): size for size in [LONG, *[SHORT] * 20]}
        service.wait_for_start(next(iter(jobs)))
        stop_redis_for(service, seconds)
        service.wait_for_end(*jobs)
        for job_id, size in jobs.items():
            service.assert_drawn_once(job_id, size)
            assert service.events(job_id).count("status") == 2
        service.wait_until_idle()


@pytest.mark.slow
def test_after_redis_was_away_no_worker_takes_the_others_for_dead(service: Service) -> None:
    with service.worker(DIGRESS_MAX_JOBS="1"), service.worker(DIGRESS_MAX_JOBS="1") as late:
        jobs = [service.submit(LONG) for _ in range(2)]
        for job_id in jobs:
            service.wait_for_start(job_id)

        late.send_signal(signal.SIGSTOP)
        stop_redis_for(service, LEASE_SECONDS + 1)
        time.sleep(SOON)  # the other looks first
        late.send_signal(signal.SIGCONT)

        service.wait_for_end(*jobs)
        service.wait_until_idle()
    for job_id in jobs:
        service.assert_drawn_once(job_id, LONG)
        assert service.events(job_id).count("status") == 2  # queued and running, once each


@pytest.mark.slow
def test_a_worker_that_has_only_just_come_takes_nobody_for_dead(service: Service) -> None:
    with service.worker() as late:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        late.send_signal(signal.SIGSTOP)
        service.wait_until_leases_run_out()
        with service.worker():
            wait_until(lambda: service.redis.zcard("digress:workers") == 2, seconds=60)
            time.sleep(SOON)  # it looks
            late.send_signal(signal.SIGCONT)
            service.wait_for_end(job_id)
            service.wait_until_idle()

    service.assert_drawn_once(job_id, LONG)
    assert service.events(job_id).count("status") == 2  # queued and running, once each


def stop_redis_for(service: Service, seconds: float) -> None:
    pid = int(service.redis.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def test_a_job_canceled_while_it_is_queued_never_starts(service: Service) -> None:
    unwanted, wanted = service.submit(SHORT), service.submit(SHORT)

    service.queue().cancel(unwanted)
    with service.worker():
        service.wait_for_end(wanted)
        service.wait_until_idle()

    service.assert_drawn_once(wanted, SHORT)
    assert service.status(unwanted) == JobStatus.CANCELED
    assert service.events(unwanted) == ["status", "canceled"]


def test_a_job_canceled_while_it_is_queued_leaves_nothing_behind(service: Service) -> None:
    job_id = service.submit(SHORT)

    service.queue().cancel(job_id)

    assert service.redis.keys("rq:job:*") == []
    assert 0 < service.redis.ttl(record_key(job_id)) <= 600


def test_a_job_canceled_as_it_is_handed_back_is_canceled(service: Service) -> None:
    with service.worker(DIGRESS_DRAIN_SECONDS="0") as worker:
        job_id = service.submit(ENDLESS)
        service.wait_for_start(job_id)
        service.redis.hset(record_key(job_id), "cancel_requested", "1")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0

    assert service.status(job_id) == JobStatus.CANCELED
    service.wait_until_idle()


def test_a_job_that_no_worker_ever_begins_is_given_up(service: Service) -> None:
    job_id = service.submit(SHORT)
    service.redis.hset(f"rq:job:{job_id}", "retries_left", 0)
    service.redis.lmove("rq:queue:digress", "rq:queue:digress:intermediate", "LEFT", "RIGHT")
    service.redis.set(f"rq:queue:digress:intermediate:first_seen:{job_id}", 0)

    with service.worker():
        service.wait_for_end(job_id, seconds=30)

    assert service.status(job_id) == JobStatus.FAILED


def test_a_job_canceled_while_it_runs_ends_at_once_and_keeps_what_it_had(service: Service) -> None:
    with service.worker():
        unwanted = service.submit(ENDLESS, num_steps=FEW_STEPS)
        wait_until(lambda: b"graphs_done" in service.redis.hgetall(record_key(unwanted)), seconds=60)
        wait_until(lambda: int(service.redis.hget(record_key(unwanted), "graphs_done")) > 0, seconds=60)  # type: ignore[arg-type]

        service.queue().cancel(unwanted)
        service.wait_for_end(unwanted, seconds=10)

        wanted = service.submit(SHORT)
        service.wait_for_end(wanted)
        service.wait_until_idle()
    kept = service.graphs(unwanted)
    assert service.status(unwanted) == JobStatus.CANCELED
    assert 0 < len(kept) < ENDLESS
    by_seed = {graph["graph"]["seed"]: graph for graph in kept}
    again = [graph for graph in drawn_alone(FEW_STEPS) if graph["graph"]["seed"] in by_seed]
    assert again
    assert again == [by_seed[graph["graph"]["seed"]] for graph in again]
    service.assert_drawn_once(wanted, SHORT)


def test_a_job_past_its_deadline_fails_and_says_so(service: Service) -> None:
    with service.worker():
        job_id = service.submit(ENDLESS, timeout_seconds=1)
        service.wait_for_end(job_id)
        service.wait_until_idle()

    assert service.status(job_id) == JobStatus.FAILED
    assert b"took longer" in service.redis.hget(record_key(job_id), "error")  # type: ignore[operator]


@pytest.mark.slow
def test_three_hundred_jobs_through_two_workers_have_one_result_each(service: Service) -> None:
    jobs = [service.submit(SHORT, num_steps=FEW_STEPS) for _ in range(300)]

    with service.worker(), service.worker():
        service.wait_for_end(*jobs)
        service.wait_until_idle()

    for job_id in jobs:
        service.assert_drawn_once(job_id, SHORT, num_steps=FEW_STEPS)
        assert service.events(job_id).count("status") == 2  # queued and running, once each


def test_a_running_worker_lets_go_of_a_model_that_is_unloaded(service: Service) -> None:
    with service.worker():
        job_id = service.submit(SHORT)
        service.wait_for_end(job_id)
        service.redis.sadd(UNLOADED_KEY, "tiny")
        service.redis.incr(MODEL_CHANGES_KEY)
        wait_until(lambda: "model unloaded" in service.log(1), seconds=30)
        unserved = service.submit(SHORT)
        service.wait_for_end(unserved)

    assert service.status(job_id) == JobStatus.SUCCEEDED
    assert service.status(unserved) == JobStatus.FAILED
