import time
from datetime import timedelta

import pytest
from redis import Redis
from rq import Queue
from rq.utils import now

from worker.leases.expired import LeasedIntermediateQueue, RedisContact


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows, to be set forward."""
    shown = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: shown[0])
    return shown


def answer_for(contact: RedisContact, clock: list[float], *, seconds: int) -> None:
    for _ in range(seconds):
        clock[0] += 1
        contact.record_answer()


def test_a_worker_judges_others_after_it_has_reached_redis_for_a_lease(clock: list[float]) -> None:
    contact = RedisContact(lease_seconds=6)
    contact.record_answer()

    answer_for(contact, clock, seconds=5)
    before = contact.proves_workers_dead
    answer_for(contact, clock, seconds=1)

    assert not before
    assert contact.proves_workers_dead


def test_after_a_long_silence_a_worker_waits_for_another_lease(clock: list[float]) -> None:
    contact = RedisContact(lease_seconds=6)
    answer_for(contact, clock, seconds=10)

    clock[0] += 5  # longer than two thirds of a lease
    in_silence = contact.proves_workers_dead
    contact.record_answer()
    back = contact.proves_workers_dead
    answer_for(contact, clock, seconds=6)

    assert not in_silence
    assert not back
    assert contact.proves_workers_dead


def test_a_worker_that_never_reached_redis_judges_nobody(clock: list[float]) -> None:
    assert not RedisContact(lease_seconds=6).proves_workers_dead


def test_a_job_that_was_taken_and_not_begun_is_given_up_after_a_lease(redis: Redis) -> None:
    waiting = LeasedIntermediateQueue(Queue("any", connection=redis), lease_seconds=6)
    for job_id, seconds in (("late", 7), ("fresh", 5)):
        seen = (now() - timedelta(seconds=seconds)).timestamp()
        redis.set(waiting.get_first_seen_key(job_id), seen)

    given_up = [job_id for job_id in ("late", "fresh", "never seen") if waiting.should_be_cleaned_up(job_id)]

    assert given_up == ["late"]
