"""Many who follow jobs in one process: each hears everything once, and they cost little."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.jobs.following.events import JobEvent
from app.jobs.queue import JobQueue
from app.main import build
from app.schemas import CompletedRequest, JobSummary
from app.settings import Settings
from models.generation import Progress
from tests.app.conftest import PROBLEM, make_client
from worker.records import JobRecord

NUM_STREAMS = 200
REQUEST = CompletedRequest(model="tiny", num_graphs=1, seed=1, sampler="ancestral", num_steps=1)


@pytest.fixture
def queue(redis_url: str, redis: Redis) -> JobQueue:
    found: JobQueue = build(Settings.model_validate({"redis_url": redis_url})).state.queue
    return found


async def listen(queue: JobQueue, job_id: str, **options: Any) -> list[JobEvent]:
    return [event async for event in queue.events(job_id, **options)]


async def until_all_follow(queue: JobQueue, number: int) -> None:
    async with asyncio.timeout(20):
        while queue.hub.num_followers < number:
            await asyncio.sleep(0.01)


def test_hundreds_share_a_connection_and_each_hears_everything_once(queue: JobQueue, redis: Redis) -> None:
    jobs = [queue.submit(REQUEST).job_id for _ in range(NUM_STREAMS)]

    def work() -> None:
        for number, job_id in enumerate(jobs):
            record = JobRecord(redis, job_id, ttl_seconds=60)
            record.start()
            record.progress(Progress(0.5, 0))
            if number == NUM_STREAMS // 2:  # what those hear it by is lost in the midst of it
                redis.client_kill_filter(_type="pubsub")
            record.succeed([], JobSummary(num_graphs=0, seconds=1))

    async def crowd() -> tuple[list[list[JobEvent]], int, float]:
        streams = [asyncio.create_task(listen(queue, job_id)) for job_id in jobs]
        await until_all_follow(queue, NUM_STREAMS)
        await asyncio.sleep(0.5)
        num_connections = len(redis.client_list(_type="pubsub"))
        began = time.monotonic()
        await asyncio.gather(asyncio.to_thread(work), *streams)
        seconds = time.monotonic() - began
        await queue.close()
        return [await stream for stream in streams], num_connections, seconds

    heard, num_connections, seconds = asyncio.run(crowd())

    assert num_connections == 1
    assert {tuple(event.name for event in events) for events in heard} == {
        ("status", "status", "progress", "succeeded")
    }
    assert all(len({event.id for event in events}) == 4 for events in heard)
    assert seconds < 10


def test_who_leaves_leaves_nothing(queue: JobQueue, redis: Redis) -> None:
    job_id = queue.submit(REQUEST).job_id

    async def come_and_go() -> None:
        streams = [asyncio.create_task(listen(queue, job_id)) for _ in range(10)]
        await until_all_follow(queue, 10)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        assert queue.hub.num_followers == 0
        async with asyncio.timeout(10):
            while redis.pubsub_channels():
                await asyncio.sleep(0.05)
        await queue.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(come_and_go())

    assert redis.client_list(_type="pubsub") == []


@pytest.fixture
def narrow(redis_url: str, redis: Redis) -> Iterator[TestClient]:
    """An API where two may wait, and one with each key."""
    settings = Settings.model_validate({"max_streams": 2, "max_owner_streams": 1})
    with make_client(redis_url, settings=settings) as client:
        yield client


def test_more_streams_than_may_be_are_refused_and_waits_are_not_waited_for(narrow: TestClient, redis: Redis) -> None:
    job_id = narrow.post("/generate", json={"model": "tiny"}).json()["id"]
    path = f"/jobs/{job_id}/events"
    app: Any = narrow.app
    first = threading.Thread(target=narrow.get, args=[path])
    first.start()
    while app.state.places.num_taken == 0:
        time.sleep(0.01)

    owner = narrow.get(path)
    began = time.monotonic()
    unwaited = narrow.post("/generate", json={"model": "tiny"}, headers={"Prefer": "wait=20"})
    with app.state.places.hold("another"):
        pass
    with app.state.places.hold("another"):
        app.state.places._owner_limit = 2
        full = narrow.get(path)
    seconds = time.monotonic() - began
    JobRecord(redis, job_id, ttl_seconds=60).succeed([], JobSummary(num_graphs=0, seconds=1))
    first.join(20)
    again = narrow.get(path)

    assert (owner.status_code, unwaited.status_code, full.status_code, again.status_code) == (429, 202, 503, 200)
    assert seconds < 10
    assert owner.headers["Content-Type"] == full.headers["Content-Type"] == PROBLEM
    assert "DIGRESS_MAX_OWNER_STREAMS" in owner.json()["detail"]
    assert owner.headers["Retry-After"] == "30"
    metrics = narrow.get("/metrics").text
    assert 'digress_http_refused_total{reason="owner_streams"} 1.0' in metrics
    assert 'digress_http_refused_total{reason="streams"} 1.0' in metrics
