import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.jobs.keys import events_key
from app.jobs.queue import JobQueue
from app.schemas import CompletedRequest, GraphFilter, JobStatus, Trajectory
from tests.worker.conftest import find, submit
from worker.engine.budget import Budget
from worker.rq_worker import GenerationWorker

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


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
    assert str(checkpoints.parent) not in job.error.detail


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
