"""What one asks of the queue, and a stand-in for a worker, which takes jobs as a real one does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from worker.engine.engine import Engine
from worker.jobs import GenerationJob
from worker.rq_worker import GenerationWorker
from worker.store import ModelStore


@pytest.fixture
def take(redis: Redis, tmp_path: Any) -> Iterator[Callable[[], str | None]]:
    """Takes the next job from the queue, as a worker does, and answers its id."""
    import torch

    with Engine(ModelStore(tmp_path, torch.device("cpu"))) as engine:
        worker = GenerationWorker(GenerationJob(engine, redis, ttl_seconds=60), redis, lease_seconds=30)

        def next_job() -> str | None:
            found = worker._dequeue(None)
            return found[0].id if found else None

        yield next_job


def ask(client: TestClient, **fields: Any) -> Any:
    return client.post("/generate", json={"model": "tiny", **fields})


def progress(client: TestClient, job: Any) -> Any:
    return client.get(job["links"]["self"]).json()["progress"]
