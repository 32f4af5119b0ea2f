"""What the RQ worker runs and what it refuses, on a real Valkey."""

import asyncio
import os
import pickle
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq import Callback, Queue, Webhook
from rq.job import Job as RqJob
from rq.job import JobStatus as RqJobStatus
from rq.serializers import JSONSerializer

from app.jobs.keys import JOB_FUNCTION, MODEL_CHANGES_KEY, QUEUE, UNLOADED_KEY, events_key, graphs_key, record_key
from app.jobs.queue import JobQueue
from app.schemas import CompletedRequest, GraphFilter, Job, JobStatus, JobSummary, Problem, Trajectory
from models.checkpoint import save_checkpoint
from models.generation import Progress
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, forked
from tests.servers import wait_until
from worker.engine.budget import Budget
from worker.engine.engine import Engine
from worker.jobs import GenerationJob
from worker.records import JobOver, JobRecord
from worker.rq_worker import GenerationWorker
from worker.store import ModelStore

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@pytest.fixture
def url(valkey_url: str) -> str:
    with Redis.from_url(valkey_url) as redis:
        redis.flushall()
    return valkey_url


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    with Redis.from_url(url) as client:
        yield client


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "checkpoints" / "tiny")
    return tmp_path / "checkpoints"


@pytest.fixture
def worker(redis: Redis, checkpoints: Path, request: pytest.FixtureRequest) -> Iterator[GenerationWorker]:
    """A worker, with the budget that a test names by `indirect`, or finds by trying."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with Engine(ModelStore(checkpoints, torch.device("cpu")), getattr(request, "param", None)) as engine:
        yield GenerationWorker(GenerationJob(engine, redis, ttl_seconds=60), redis, lease_seconds=30)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def submit(url: str, *, model: str = "tiny", num_graphs: int = 5, num_steps: int = 3, timeout_seconds: int = 60) -> str:
    request = CompletedRequest(model=model, num_graphs=num_graphs, seed=7, sampler="ancestral", num_steps=num_steps)
    queue = JobQueue(
        Redis.from_url(url), AsyncRedis.from_url(url), job_timeout_seconds=timeout_seconds, job_ttl_seconds=60
    )
    job_id = queue.submit(request).job_id
    asyncio.run(queue.close())
    return job_id


def find(url: str, job_id: str) -> Job:
    async def found() -> Job:
        queue = JobQueue(Redis.from_url(url), AsyncRedis.from_url(url), job_timeout_seconds=60, job_ttl_seconds=60)
        try:
            return Job.model_validate_json((await queue.find(job_id)).to_json())
        finally:
            await queue.close()

    return asyncio.run(found())


def test_a_job_is_drawn_and_recorded(url: str, worker: GenerationWorker) -> None:
    job_id = submit(url)

    worker.work(burst=True)

    job = find(url, job_id)
    assert job.status == JobStatus.SUCCEEDED
    assert job.graphs is not None
    assert len(job.graphs) == 5
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.expires_at is not None
    assert job.created_at <= job.started_at <= job.finished_at < job.expires_at
    assert job.progress.fraction == 1
    assert job.summary is not None
    assert job.summary.num_graphs == 5
    assert job.summary.valid == sum(graph.graph["valid"] for graph in job.graphs)


def test_a_worker_told_to_stop_as_soon_as_it_is_known_stops(
    worker: GenerationWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = worker.register_birth

    def register_birth() -> None:
        known()  # type: ignore[no-untyped-call]
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(worker, "register_birth", register_birth)

    assert worker.run()


def test_the_events_tell_the_story_in_order(url: str, redis: Redis, worker: GenerationWorker) -> None:
    job_id = submit(url)

    worker.work(burst=True)

    entries: Any = redis.xrange(events_key(job_id))
    events = [fields[b"event"].decode() for _, fields in entries]
    assert events[:2] == ["status", "status"]
    assert set(events[2:-1]) == {"progress"}
    assert events[-1] == "succeeded"


def test_a_model_that_the_worker_lacks_fails_the_job_in_words(url: str, worker: GenerationWorker) -> None:
    job_id = submit(url, model="gone")

    worker.work(burst=True)

    job = find(url, job_id)
    assert job.status == JobStatus.FAILED
    assert job.error is not None
    assert (job.error.status, job.error.detail) == (503, "this worker has no model 'gone'")


def test_a_broken_checkpoint_fails_the_job_in_words(url: str, worker: GenerationWorker, checkpoints: Path) -> None:
    (checkpoints / "tiny" / "weights.safetensors").write_bytes(b"?")
    job_id = submit(url)

    worker.work(burst=True)

    job = find(url, job_id)
    assert job.error is not None
    assert "sha256" in job.error.detail


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


def test_the_trajectories_of_graphs_are_kept_with_them(url: str, redis: Redis, worker: GenerationWorker) -> None:
    wish = GraphFilter(connected=True)
    request = CompletedRequest(
        model="tiny", num_graphs=6, seed=7, sampler="ancestral", num_steps=4, keep_frames=3, filter=wish
    )
    queue = JobQueue(Redis.from_url(url), AsyncRedis.from_url(url), job_timeout_seconds=60, job_ttl_seconds=60)
    job_id = queue.submit(request).job_id
    worker.work(burst=True)

    async def trajectories() -> list[Trajectory]:
        found = [await queue.trajectory(job_id, number) for number in range(6)]
        await queue.close()
        return [Trajectory.model_validate_json(trajectory) for trajectory in found if trajectory]

    job, kept = find(url, job_id), asyncio.run(trajectories())
    assert job.finished_at
    assert job.expires_at
    assert (job.expires_at - job.finished_at).total_seconds() == pytest.approx(60, abs=1)
    stored = redis.keys(f"digress:job:{job_id}*")
    assert len(stored) == 4  # record, events, graphs and their ways
    assert all(0 < redis.ttl(key) <= 60 for key in stored)
    assert job.graphs
    assert len(job.graphs) == len(kept)
    for graph, trajectory in zip(job.graphs, kept, strict=True):
        assert [(frame.step, frame.t) for frame in trajectory.frames] == [(0, 50), (2, 12), (4, 0)]
        assert [node["type"] for node in trajectory.frames[-1].nodes] == [node["type"] for node in graph.nodes]
        assert trajectory.frames[-1].edges == graph.edges


def test_graphs_that_are_brought_twice_are_there_once(redis: Redis) -> None:
    record = JobRecord(redis, "a", ttl_seconds=60)

    for start, lines in ((0, ["1", "2"]), (0, ["1", "2"]), (2, ["3"]), (2, ["3"])):
        record._append("list", lines, length=start)

    assert redis.lrange("list", 0, -1) == [b"1", b"2", b"3"]


def test_what_became_of_jobs_is_counted(url: str, worker: GenerationWorker) -> None:
    for model in ("tiny", "tiny", "elsewhere"):
        submit(url, model=model)

    worker.work(burst=True)

    def count(name: str, **labels: str) -> float | None:
        return worker._function.engine.metrics.registry.get_sample_value(name, {"kind": "unconditional", **labels})

    assert count("digress_job_duration_seconds_count", model="tiny", status="succeeded") == 2
    assert count("digress_job_duration_seconds_count", model="unknown", status="failed") == 1
    assert count("digress_job_wait_seconds_count", model="tiny") == 2
    assert 0 < (count("digress_job_wait_seconds_sum", model="tiny") or 0) < 60
    assert count("digress_graphs_total", model="tiny") == 10


@pytest.mark.parametrize("worker", [Budget(largest=900, overhead=100)], indirect=True)
def test_what_a_job_past_its_time_limit_had_finished_is_kept(url: str, worker: GenerationWorker) -> None:
    job_id = submit(url, num_graphs=10_000, timeout_seconds=1)

    worker.work(burst=True)

    job = find(url, job_id)
    assert (job.status, job.error and job.error.status) == (JobStatus.FAILED, 504)
    assert job.graphs is not None
    assert job.summary is not None
    assert 0 < len(job.graphs) == job.progress.graphs_done == job.summary.num_graphs < 10_000


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that importing the module `poison` leaves."""
    (tmp_path / "poison.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w').close()\ndef call(*_): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "trace"


def test_no_other_function_is_ever_run(redis: Redis, worker: GenerationWorker, trace: Path) -> None:
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    jobs = [
        queue.enqueue(name, f"touch {trace}") for name in ("os.system", "subprocess.getoutput", "worker.jobs.os.system")
    ]
    callback = Callback("poison.call")
    for arguments in (["gone", {}], ["one too many", {}, {}]):  # one succeeds, one fails
        queue.enqueue(JOB_FUNCTION, *arguments, on_success=callback, on_failure=callback)

    worker.work(burst=True)

    assert not trace.exists()
    for job in jobs:
        assert job.get_status() == "failed"
        assert "ForbiddenFunction" in str(job.latest_result().exc_string)  # type: ignore[union-attr]
    assert redis.keys("digress:job:*") == []


def test_the_job_of_a_dead_worker_calls_nothing_either(redis: Redis, worker: GenerationWorker, trace: Path) -> None:
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        webhook = Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/", "failed", timeout=1)
        job = queue.enqueue(JOB_FUNCTION, "gone", {}, on_failure=Callback("poison.call"), webhooks=[webhook])
        redis.lrem(queue.key, 1, job.id)
        job.set_status(RqJobStatus.STARTED)
        registry = worker.queues[0].started_job_registry
        redis.zadd(registry.key, {f"{job.id}:execution": 1})

        registry.cleanup(exception_handlers=[worker._give_up])

        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert job.get_status() == RqJobStatus.FAILED
    assert not trace.exists()


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


def test_a_job_that_has_ended_never_changes(url: str, redis: Redis) -> None:
    job_id = submit(url)
    record = JobRecord(redis, job_id, ttl_seconds=60)
    zombie = JobRecord(redis, job_id, ttl_seconds=60)
    record.start()
    record.fail(Problem(title="Gone", status=500, detail="first"))
    before = find(url, job_id)

    for late in (
        zombie.start,
        lambda: zombie.progress(Progress(0.5, 2)),
        lambda: zombie.succeed([], JobSummary(num_graphs=0, seconds=1)),
    ):
        with pytest.raises(JobOver):
            late()

    assert find(url, job_id) == before
    assert redis.get(graphs_key(job_id)) is None


def test_a_job_that_has_expired_is_not_brought_back(url: str, redis: Redis) -> None:
    job_id = submit(url)
    record = JobRecord(redis, job_id, ttl_seconds=60)
    record.start()
    redis.delete(record_key(job_id), events_key(job_id))

    with pytest.raises(JobOver):
        record.succeed([], JobSummary(num_graphs=0, seconds=1))

    assert redis.keys("digress:job:*") == []


def test_a_pickle_in_the_queue_is_not_opened(redis: Redis, worker: GenerationWorker, tmp_path: Path) -> None:
    class Poison:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'trace'}",)

    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    job = queue.enqueue(JOB_FUNCTION)
    redis.hset(job.key, "data", pickle.dumps((JOB_FUNCTION, None, (Poison(),), {})))

    worker.work(burst=True)

    assert not (tmp_path / "trace").exists()


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
