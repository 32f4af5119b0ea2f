"""What the RQ worker runs and what it refuses, on a real Valkey."""

import os
import signal
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job as RqJob
from rq.job import JobStatus as RqJobStatus
from rq.serializers import JSONSerializer

from app.jobs.keys import JOB_FUNCTION, MODEL_CHANGES_KEY, QUEUE, UNLOADED_KEY
from app.schemas import Job, JobStatus
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, forked
from tests.servers import wait_until
from tests.worker.conftest import find, submit
from worker.rq_worker import GenerationWorker

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def test_a_worker_told_to_stop_as_soon_as_it_is_known_stops(
    worker: GenerationWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = worker.register_birth

    def register_birth() -> None:
        known()  # type: ignore[no-untyped-call]
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(worker, "register_birth", register_birth)

    assert worker.run()


def test_a_job_past_its_time_limit_fails_and_the_worker_goes_on(
    url: str, redis: Redis, worker: GenerationWorker
) -> None:
    late, next_one = submit(url, num_graphs=10_000, num_steps=50), submit(url)
    job = RqJob.fetch(late, connection=redis, serializer=JSONSerializer)
    job.timeout = 1
    job.save()

    worker.work(burst=True)

    found = find(url, late)
    assert found.status == JobStatus.FAILED
    assert found.error is not None
    assert found.error.status == 504
    assert find(url, next_one).status == JobStatus.SUCCEEDED


def test_a_model_that_is_unloaded_fails_its_jobs_and_one_that_has_changed_is_read_again(
    url: str, redis: Redis, worker: GenerationWorker, checkpoints: Path
) -> None:
    def draw() -> Job:
        job_id = submit(url)
        one_more = GenerationWorker(worker._function, redis, lease_seconds=30)  # a worker works once
        one_more._heartbeat.follow_models()
        one_more.work(burst=True)
        return find(url, job_id)

    def change(command: str) -> None:
        getattr(redis, command)(UNLOADED_KEY, "tiny")
        redis.incr(MODEL_CHANGES_KEY)

    before = draw()
    change("sadd")
    without = draw()
    save_checkpoint(make_card(), make_denoiser(make_card(), seed=5), checkpoints / "tiny")
    change("srem")
    after = draw()

    assert before.graphs
    assert without.error is not None
    assert (without.error.status, without.error.detail) == (503, "the model 'tiny' has been unloaded")
    assert after.graphs
    assert after.graphs != before.graphs


def test_a_worker_without_room_still_looks_after_dead_workers_jobs(
    redis: Redis, worker: GenerationWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = GenerationWorker(worker._function, redis, lease_seconds=3)
    worker._heartbeat.start()  # after a lease it may judge
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    job = queue.enqueue_call(JOB_FUNCTION, args=("gone", {}))
    redis.lrem(queue.key, 1, job.id)
    job.set_status(RqJobStatus.STARTED)
    registry = worker.queues[0].started_job_registry
    redis.zadd(registry.key, {f"{job.id}:execution": 1})
    # Were there no maintenance without room, this would never end.
    monkeypatch.setattr(worker._room, "acquire", lambda timeout: redis.zcard(registry.key) == 0)

    worker.dequeue_job_and_maintain_ttl(None)

    worker._heartbeat.stop()
    assert job.get_status() == RqJobStatus.FAILED


def test_the_job_of_a_killed_worker_is_finished_by_another_with_the_same_graphs(
    url: str, checkpoints: Path, tmp_path: Path
) -> None:
    environment = {"DIGRESS_REDIS_URL": url, "DIGRESS_CHECKPOINTS": str(checkpoints), "DIGRESS_LEASE_SECONDS": "3"}

    def long_job() -> str:
        return submit(url, num_graphs=400, num_steps=50)

    with forked(WORKER, environment, tmp_path / "first.log") as first:
        job_id = long_job()
        wait_until(lambda: find(url, job_id).progress.fraction > 0.1, seconds=40)
        first.kill()
    assert find(url, job_id).status == JobStatus.RUNNING

    with forked(WORKER, environment, tmp_path / "second.log"):
        again = long_job()
        wait_until(lambda: find(url, job_id).status.is_final and find(url, again).status.is_final, seconds=90)

    assert find(url, job_id).status == JobStatus.SUCCEEDED
    assert find(url, job_id).graphs == find(url, again).graphs


def test_a_job_over_which_every_worker_dies_is_given_up(url: str, redis: Redis, worker: GenerationWorker) -> None:
    job_id = submit(url)
    job = RqJob.fetch(job_id, connection=redis, serializer=JSONSerializer)
    job.retries_left = 0

    worker._give_up(job)

    found = find(url, job_id)
    assert found.status == JobStatus.FAILED
    assert found.error is not None
    assert "never came to an end" in found.error.detail
