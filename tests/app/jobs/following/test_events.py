import asyncio
import threading
import time
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.jobs.following.events import JobEvent
from app.jobs.following.hub import EventHub
from app.jobs.keys import events_key, record_key
from app.jobs.queue import JobQueue
from app.main import build
from app.schemas import CompletedRequest
from app.settings import Settings


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


def followed(url: str, job_id: str, **options: Any) -> list[JobEvent]:
    async def follow_all() -> list[JobEvent]:
        async with AsyncRedis.from_url(url) as redis:
            hub = EventHub(redis)
            try:
                return [event async for event in hub.follow(job_id, **options)]
            finally:
                await hub.close()

    return asyncio.run(follow_all())


def add(redis: Redis, *events: str) -> list[str]:
    redis.hset(record_key("a"), "status", "running")
    ids: list[Any] = [redis.xadd(events_key("a"), {"event": name, "data": f'"{name}"'}) for name in events]
    return [place.decode() for place in ids]


def test_events_are_followed_in_order_up_to_the_one_that_ends_the_job(redis_url: str, redis: Redis) -> None:
    add(redis, "status", "progress", "succeeded", "progress")

    events = followed(redis_url, "a")

    assert [(event.name, event.data) for event in events] == [
        ("status", '"status"'),
        ("progress", '"progress"'),
        ("succeeded", '"succeeded"'),
    ]


def test_events_go_on_after_the_last_one_that_was_seen(redis_url: str, redis: Redis) -> None:
    ids = add(redis, "status", "progress", "failed")

    assert [event.id for event in followed(redis_url, "a", after=ids[0])] == ids[1:]


def test_a_job_that_there_is_not_has_no_events(redis_url: str, redis: Redis) -> None:
    assert followed(redis_url, "a") == []


def test_after_the_time_that_was_given_nothing_more_is_waited_for(redis_url: str, redis: Redis) -> None:
    add(redis, "status")

    assert [event.name for event in followed(redis_url, "a", seconds=0.2)] == ["status"]


def test_an_estimate_is_given_between_events(redis_url: str, redis: Redis) -> None:
    queue: JobQueue = build(Settings.model_validate({"redis_url": redis_url})).state.queue
    request = CompletedRequest(model="tiny", num_graphs=1, seed=1, sampler="ancestral", num_steps=1)
    job_id = queue.submit(request).job_id

    events = followed(redis_url, job_id, seconds=1.5, with_estimates=True)

    assert [(event.id is None, event.name) for event in events] == [(False, "status"), (True, "progress")]
