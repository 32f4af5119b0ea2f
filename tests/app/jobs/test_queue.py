"""The order of the queue, and what it says of itself; a stand-in for a worker takes jobs as a real one does."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.jobs.keys import BACKLOG_KEY, WORKERS_KEY, record_key, worker_key
from app.jobs.reports import WorkerReport
from app.jobs.state import QueueLimits
from tests.app.conftest import PROBLEM, make_client
from tests.app.jobs.conftest import ask


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
