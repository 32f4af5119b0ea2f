"""The order of the queue, and what it says of itself; a stand-in for a worker takes jobs as a real one does."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.jobs.keys import BACKLOG_KEY, WORKERS_KEY, record_key, worker_key
from app.jobs.queue import JobQueue
from app.jobs.reports import WorkerReport
from app.jobs.state import QueueLimits
from app.main import build
from app.schemas import CompletedRequest
from app.settings import Settings
from tests.app.conftest import PROBLEM, make_client
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


def test_jobs_of_one_priority_are_taken_as_they_came(client: TestClient, take: Callable[[], str | None]) -> None:
    jobs = [ask(client).json()["id"] for _ in range(6)]

    assert [take() for _ in range(7)] == [*jobs, None]


def test_priorities_share_the_turns_by_their_weights_and_none_starves(
    client: TestClient, take: Callable[[], str | None]
) -> None:
    names = {}
    for priority in ("low", "normal", "high"):
        for _ in range(42):
            names[ask(client, priority=priority).json()["id"]] = priority

    taken = [names[take() or ""] for _ in range(43)]

    # The first was there before anything else. Of 42 more, 32 : 8 : 2 are their due.
    counts = [taken[1:].count(priority) for priority in ("high", "normal", "low")]
    assert abs(counts[0] - 32) <= 1
    assert abs(counts[1] - 8) <= 1
    assert abs(counts[2] - 2) <= 1


def test_a_large_job_gives_way_to_small_ones_of_higher_priority(
    client: TestClient, take: Callable[[], str | None]
) -> None:
    first, large = ask(client).json()["id"], ask(client, num_graphs=10_000).json()["id"]
    small = [ask(client, priority="high").json()["id"] for _ in range(20)]

    assert [take() for _ in range(22)] == [first, *small, large]


def test_the_position_counts_the_jobs_ahead(client: TestClient, take: Callable[[], str | None]) -> None:
    jobs = [ask(client).json() for _ in range(4)]
    assert [job["progress"]["position"] for job in jobs] == [0, 1, 2, 3]

    take()

    assert [progress(client, job)["position"] for job in jobs] == [None, 0, 1, 2]


def test_the_end_is_foretold_by_what_the_workers_say(client: TestClient, redis: Redis) -> None:
    report = WorkerReport(pace={"tiny": 1e-3}, speed=2.0, left=10.0)
    redis.zadd(WORKERS_KEY, {"one": time.time()})
    redis.set(worker_key("one"), report.model_dump_json())

    jobs = [ask(client, num_nodes=9, num_graphs=10).json() for _ in range(4)]

    # Each is ten steps of ten graphs of 9², 8.1 s by pace; the one that is next is not counted among those that wait.
    expected = [(10 + 8.1 * jobs) / 2 for jobs in (1, 1, 2, 3)]
    assert [progress(client, job)["eta_seconds"] for job in jobs] == pytest.approx(expected, abs=0.1)


def test_a_canceled_job_leaves_nothing_in_the_queue(
    client: TestClient, redis: Redis, take: Callable[[], str | None]
) -> None:
    jobs = [ask(client).json() for _ in range(3)]

    for job in jobs:
        client.delete(job["links"]["self"])

    assert take() is None
    assert float(redis.get(BACKLOG_KEY) or 0) == pytest.approx(0)
    assert not redis.keys("rq:job:*")


def test_a_canceled_job_is_not_held_against_its_owner(client: TestClient, take: Callable[[], str | None]) -> None:
    first = ask(client).json()["id"]
    large = ask(client, priority="high", num_graphs=10_000).json()
    client.delete(large["links"]["self"])

    low, high = (ask(client, priority=priority).json()["id"] for priority in ("low", "high"))

    assert [take() for _ in range(3)] == [first, high, low]


def test_a_job_canceled_amid_others_does_not_change_their_order(
    client: TestClient, take: Callable[[], str | None]
) -> None:
    first, large, behind = (ask(client, num_graphs=number).json() for number in (1, 1_000, 1))
    client.delete(large["links"]["self"])

    last = ask(client).json()

    assert [take() for _ in range(3)] == [job["id"] for job in (first, behind, last)]


def test_a_full_queue_says_when_to_come_back(redis_url: str, redis: Redis) -> None:
    redis.zadd(WORKERS_KEY, {"one": time.time()})
    redis.set(worker_key("one"), WorkerReport(pace={"tiny": 1.0}, speed=1.0).model_dump_json())
    with make_client(redis_url, limits=QueueLimits(queued_jobs=3)) as client:
        accepted = [ask(client, num_nodes=5) for _ in range(3)]
        refused = ask(client)
        client.delete(accepted[1].json()["links"]["self"])
        again = ask(client)

    assert [answer.status_code for answer in (*accepted, refused, again)] == [202, 202, 202, 503, 202]
    assert refused.headers["Content-Type"] == PROBLEM
    assert refused.json()["detail"] == "the queue is full: 3 jobs are waiting"
    # Two jobs of ten steps of 9² seconds wait behind the next one: a tenth of that.
    assert refused.headers["Retry-After"] == "162"


def test_the_same_key_and_request_give_the_same_job(client: TestClient) -> None:
    def post(path: str = "/generate", key: str = "k-1", **fields: Any) -> Any:
        return client.post(path, json={"model": "tiny", **fields}, headers={"Idempotency-Key": key})

    first, second = post(num_graphs=2), post(num_graphs=2)
    other, different = post(key="k-2", num_graphs=2), post(num_graphs=3)
    elsewhere = post("/generate/conditional", num_graphs=2, targets={"a": 1})

    assert first.json()["id"] == second.json()["id"] != other.json()["id"]
    assert first.json()["request"]["seed"] == second.json()["request"]["seed"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert different.status_code == elsewhere.status_code == 422
    assert "came with another request" in different.json()["detail"]


def test_a_key_whose_job_has_expired_gives_a_new_one(client: TestClient, redis: Redis) -> None:
    def post() -> Any:
        return client.post("/generate", json={"model": "tiny"}, headers={"Idempotency-Key": "k-3"}).json()

    first = post()
    redis.delete(record_key(first["id"]))

    assert post()["id"] != first["id"]


def test_the_lists_of_jobs_forget_those_that_have_expired(client: TestClient, redis: Redis) -> None:
    for _ in range(30):
        redis.delete(record_key(ask(client).json()["id"]))

    kept = [ask(client).json()["id"] for _ in range(5)]

    for jobs in redis.keys("digress:jobs*"):
        found: Any = redis.zrange(jobs, 0, -1)
        assert [job_id.decode() for job_id in found] == kept


def test_jobs_are_listed_newest_first_in_pages(client: TestClient, redis: Redis) -> None:
    jobs = []
    for _ in range(7):
        jobs.append(ask(client).json()["id"])
        time.sleep(0.002)  # ids sort by the millisecond
    redis.delete(record_key(jobs[3]))

    pages, here = [], "/jobs?limit=3"
    while here:
        pages.append(client.get(here).json())
        here = pages[-1]["next"]

    listed = [[job["id"] for job in page["jobs"]] for page in pages]
    assert [job for page in listed for job in page] == [job for job in reversed(jobs) if job != jobs[3]]
    assert [len(page) for page in listed][:2] == [3, 3]
    assert client.get("/jobs?cursor=x").status_code == 422
    assert json.dumps(pages[0]["jobs"][0]["graphs"]) == "null"


def test_hundreds_of_waiting_clients_hold_up_nobody(redis_url: str) -> None:
    queue: JobQueue = build(Settings.model_validate({"redis_url": redis_url})).state.queue
    request = CompletedRequest(model="tiny", num_graphs=1, seed=1, sampler="ancestral", num_steps=1)
    job_id = queue.submit(request).job_id

    async def crowd() -> tuple[int, int, float]:
        started, num_threads = time.monotonic(), threading.active_count()
        waiting = [asyncio.create_task(queue.wait(job_id, 3)) for _ in range(300)]
        await asyncio.sleep(1)
        num_workers, more = await queue.num_workers(), threading.active_count() - num_threads
        await asyncio.gather(*waiting)
        await queue.close()
        return num_workers, more, time.monotonic() - started

    num_workers, more_threads, seconds = asyncio.run(crowd())

    assert (num_workers, more_threads) == (0, 0)
    assert seconds < 10  # one after another they would take a quarter of an hour


def test_waiting_ends_when_it_is_pointless(redis_url: str) -> None:
    queue: JobQueue = build(Settings.model_validate({"redis_url": redis_url})).state.queue
    request = CompletedRequest(model="tiny", num_graphs=1, seed=1, sampler="ancestral", num_steps=1)
    job_id, started = queue.submit(request).job_id, time.monotonic()

    queue.hub.is_stopping = lambda: time.monotonic() > started + 1

    async def wait() -> None:
        await queue.wait(job_id, 60)
        await queue.close()

    asyncio.run(wait())

    assert time.monotonic() - started < 10
