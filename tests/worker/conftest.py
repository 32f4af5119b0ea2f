"""An emptied Valkey, one small model, and a worker that runs in the process of the tests."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.jobs.queue import JobQueue
from app.schemas import CompletedRequest, Job
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from worker.engine.engine import Engine
from worker.jobs import GenerationJob
from worker.rq_worker import GenerationWorker
from worker.store import ModelStore


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
            stored = await queue.find(job_id)
            if stored.has_more:
                stored = replace(stored, graphs=await queue.graphs(job_id, 0, stored.num_graphs))
            return Job.model_validate_json(stored.to_json())
        finally:
            await queue.close()

    return asyncio.run(found())
