"""What one owner may have in the queue, and that it never keeps another owner's job waiting."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from redis import Redis

from app.access.api_keys import ApiKeyStore
from app.jobs.keys import OWNER_PENDING_PREFIX, WAITING_KEY, WORKERS_KEY, open_jobs_key, record_key, worker_key
from app.jobs.reports import WorkerReport
from app.jobs.state import QueueLimits
from tests.app.conftest import PROBLEM, make_client
from worker.engine.engine import Engine
from worker.jobs import GenerationJob
from worker.rq_worker import GenerationWorker
from worker.store import ModelStore

ADMIN_KEY = "an administrator's key"


@pytest.fixture
def keys(redis: Redis) -> dict[str, dict[str, str]]:
    """Headers of two owners."""
    store = ApiKeyStore(redis)
    return {name: {"Authorization": f"Bearer {store.create(name)[1]}"} for name in ("first", "second")}


@pytest.fixture
def worker(redis: Redis, tmp_path: Any) -> Iterator[GenerationWorker]:
    with Engine(ModelStore(tmp_path, torch.device("cpu"))) as engine:
        yield GenerationWorker(GenerationJob(engine, redis, ttl_seconds=60), redis, lease_seconds=30)


def report(redis: Redis, **values: Any) -> None:
    redis.zadd(WORKERS_KEY, {"one": redis.time()[0]})
    redis.set(worker_key("one"), WorkerReport(**values).model_dump_json())


def ask(client: TestClient, headers: dict[str, str], **fields: Any) -> Any:
    return client.post("/generate", json={"model": "tiny", **fields}, headers=headers)


def test_an_owner_with_enough_jobs_is_refused_and_another_is_not(
    redis_url: str, redis: Redis, keys: dict[str, dict[str, str]]
) -> None:
    report(redis, pace={"tiny": 1.0}, speed=1.0)
    with make_client(redis_url, admin_key=ADMIN_KEY, limits=QueueLimits(owner_jobs=2)) as client:
        mine = [ask(client, keys["first"], num_nodes=5) for _ in range(3)]
        others = ask(client, keys["second"])
        client.delete(mine[0].json()["links"]["self"], headers=keys["first"])
        again = ask(client, keys["first"])
        metrics = client.get("/metrics").text

    assert [answer.status_code for answer in (*mine, others, again)] == [202, 202, 429, 202, 202]
    refused = mine[2]
    assert refused.headers["Content-Type"] == PROBLEM
    assert refused.json()["detail"].startswith(
        "2 of your jobs wait or run, about 1,620 s of work; DIGRESS_MAX_OWNER_JOBS"
    )
    assert refused.headers["Retry-After"] == "810"
    assert 'digress_jobs_rejected_total{reason="owner_jobs"} 1.0' in metrics


def test_an_owner_with_enough_work_hears_what_would_fit(
    redis_url: str, redis: Redis, keys: dict[str, dict[str, str]]
) -> None:
    report(redis, pace={"tiny": 1.0}, speed=1.0)
    with make_client(redis_url, admin_key=ADMIN_KEY, limits=QueueLimits(owner_seconds=3_240)) as client:
        alone = ask(client, keys["first"], num_nodes=5, num_graphs=100)
        client.delete(alone.json()["links"]["self"], headers=keys["first"])
        half, more, fitting = (ask(client, keys["first"], num_nodes=5, num_graphs=number) for number in (2, 3, 2))

    # A graph is ten steps of 9² seconds.
    assert [answer.status_code for answer in (alone, half, more, fitting)] == [202, 202, 429, 202]
    assert more.json()["detail"] == (
        "1 of your jobs wait or run, about 1,620 s of work, and this one is 2,430 s; "
        "DIGRESS_MAX_OWNER_SECONDS allows 3,240 s: 2 graphs of this kind would fit now"
    )
    assert more.headers["Retry-After"] == "810"


def test_jobs_that_are_gone_count_no_more(redis_url: str, redis: Redis) -> None:
    with make_client(redis_url, limits=QueueLimits(owner_jobs=3)) as client:
        for _ in range(3):
            redis.delete(record_key(ask(client, {}).json()["id"]))

        answer = ask(client, {})

    assert answer.status_code == 202
    assert set(redis.hgetall(open_jobs_key(""))) == {b"all", answer.json()["id"].encode()}


def test_nothing_is_left_of_jobs_that_have_ended(client: TestClient, redis: Redis) -> None:
    jobs = [ask(client, {}).json() for _ in range(3)]

    for job in jobs:
        client.delete(job["links"]["self"])

    assert not redis.exists(open_jobs_key(""), WAITING_KEY, f"{OWNER_PENDING_PREFIX}")


def test_a_worker_that_has_enough_of_one_owner_takes_the_next_of_another(
    redis_url: str,
    redis: Redis,
    keys: dict[str, dict[str, str]],
    worker: GenerationWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def take() -> str | None:
        found = worker._dequeue(None)
        return found[0].id if found else None

    with make_client(redis_url, admin_key=ADMIN_KEY) as client:
        large = [ask(client, keys["first"], num_graphs=1_000, priority="high").json()["id"] for _ in range(3)]
        small = [ask(client, keys["second"], priority="low").json()["id"] for _ in range(2)]
        monkeypatch.setattr(worker, "_busy_owners", lambda: {"first"})
        while_busy = [take() for _ in range(3)]
        monkeypatch.setattr(worker, "_busy_owners", set)
        afterwards = [take() for _ in range(4)]

    assert while_busy == [*small, None]
    assert afterwards == [*large, None]
    assert not redis.exists(WAITING_KEY)


def test_a_small_job_is_not_foretold_the_end_of_anothers_large_ones(
    redis_url: str, redis: Redis, keys: dict[str, dict[str, str]]
) -> None:
    report(redis, pace={"tiny": 1e-3}, speed=1.0, left=366_682.0, weight=19 * 4.0)
    with make_client(redis_url, admin_key=ADMIN_KEY) as client:
        for _ in range(3):
            ask(client, keys["first"], num_graphs=10_000)
        small = ask(client, keys["second"], num_nodes=9, num_steps=5, priority="high").json()
        progress = client.get(small["links"]["self"], headers=keys["second"]).json()["progress"]

    # Five steps of 9²: 0.4 s of work, beside nineteen jobs that have a quarter of its weight each.
    assert progress["eta_seconds"] < 4
