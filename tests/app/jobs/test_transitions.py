"""The scripts allow exactly the steps of the tables, on a real Valkey."""

import json
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from redis import Redis

from app.jobs import lua
from app.jobs.keys import OWNER_PENDING_PREFIX, RECORD_PREFIX, WEBHOOKS_KEY, events_key, record_key
from app.jobs.transitions import API_TRANSITIONS, WORKER_TRANSITIONS, Transitions, end_fields, to_json
from app.schemas import JobStatus

PAIRS = list(product(JobStatus, JobStatus))
JOB = "0" * 32
CANCEL: dict[str, lua.Value] = {
    "job_id": JOB,
    "running": JobStatus.RUNNING.value,
    "seconds_kept": 60,
    "owner_pending_prefix": OWNER_PENDING_PREFIX,
}


def snapshot(redis: Redis) -> tuple[Any, Any]:
    return redis.hgetall(record_key(JOB)), redis.xrange(events_key(JOB))


def have(redis: Redis, status: JobStatus) -> None:
    redis.hset(
        record_key(JOB), mapping={"status": status, "cost": "1.0", "flow": "f", "webhook": "https://example.org"}
    )


def change(transitions: Transitions, fields: Mapping[str, lua.Value], event: str) -> dict[str, lua.Value]:
    return {
        "transitions": to_json(transitions),
        "fields": lua.pack_map(fields),
        "event": event,
        "data": json.dumps({"some": "data"}),
    }


def run(redis: Redis, name: str, args: Mapping[str, lua.Value]) -> Any:
    """The answer of a script about the job; keys that are no matter here have names that nothing has."""
    keys = {key: f"none:{key}" for key in lua._read(name).keys}
    known = {"record": record_key(JOB), "events": events_key(JOB), "webhooks": WEBHOOKS_KEY}
    return lua.load(redis, name)(keys=keys | {key: known[key] for key in keys.keys() & known.keys()}, args=args)


def assert_changed(redis: Redis, before: tuple[Any, Any], status: JobStatus, event: str) -> None:
    record, events = snapshot(redis)
    assert record[b"status"] == status.value.encode()
    assert len(events) == len(before[1]) + 1
    assert events[-1][1] == {b"event": event.encode(), b"data": b'{"some": "data"}'}


def test_the_tables_and_the_wire_format_agree_about_what_has_ended() -> None:
    assert WORKER_TRANSITIONS.keys() == API_TRANSITIONS.keys() == set(JobStatus)
    for status in JobStatus:
        assert status.is_final == (not WORKER_TRANSITIONS[status])
        assert API_TRANSITIONS[status] <= WORKER_TRANSITIONS[status]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_worker_changes_a_status_only_as_the_table_allows(redis: Redis, before: JobStatus, after: JobStatus) -> None:
    have(redis, before)
    known = snapshot(redis)

    answer = run(redis, "update", change(WORKER_TRANSITIONS, {"status": after.value}, "status"))

    if after in WORKER_TRANSITIONS[before]:
        assert answer == b"written"
        assert_changed(redis, known, after, "status")
    else:
        assert answer == b"over"
        assert snapshot(redis) == known


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_worker_ends_a_job_only_as_the_table_allows(redis: Redis, before: JobStatus, after: JobStatus) -> None:
    have(redis, before)
    redis.rpush("none:uploaded_graphs", "{}")
    known = snapshot(redis)
    args = change(WORKER_TRANSITIONS, end_fields(after, ttl_seconds=60), after.value)

    answer = run(redis, "finish", args | {"job_id": JOB, "seconds_kept": 60})

    if after in WORKER_TRANSITIONS[before]:
        assert answer == b"written"
        assert_changed(redis, known, after, after.value)
        assert redis.zrange(WEBHOOKS_KEY, 0, -1) == [JOB.encode()]
        assert all(0 < redis.ttl(key) <= 60 for key in (record_key(JOB), events_key(JOB), "none:graphs"))
    else:
        assert answer == b"over"
        assert snapshot(redis) == known
        assert not redis.exists(WEBHOOKS_KEY, "none:graphs")


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_api_changes_a_status_only_as_the_table_allows(redis: Redis, before: JobStatus, after: JobStatus) -> None:
    have(redis, before)
    known = snapshot(redis)
    args = change(API_TRANSITIONS, end_fields(after, ttl_seconds=60), after.value)

    answer = run(redis, "cancel", args | CANCEL)

    if after in API_TRANSITIONS[before]:
        assert answer == after.value.encode()
        assert_changed(redis, known, after, after.value)
        assert redis.zrange(WEBHOOKS_KEY, 0, -1) == [JOB.encode()]
    else:
        assert answer == before.value.encode()
        asked = {b"cancel_requested": b"1"} if before == JobStatus.RUNNING else {}
        assert snapshot(redis) == (known[0] | asked, known[1])
        assert not redis.exists(WEBHOOKS_KEY)


@pytest.mark.parametrize("before", JobStatus)
def test_progress_is_told_of_a_job_that_goes_on(redis: Redis, before: JobStatus) -> None:
    have(redis, before)
    known = snapshot(redis)

    answer = run(redis, "update", change(WORKER_TRANSITIONS, {"fraction": 0.5}, "progress"))

    if before.is_final:
        assert answer == b"over"
        assert snapshot(redis) == known
    else:
        assert answer == b"written"
        assert_changed(redis, known, before, "progress")


@pytest.mark.parametrize("name", ["update", "finish", "cancel"])
def test_a_job_that_there_is_not_is_not_made(redis: Redis, name: str) -> None:
    table = API_TRANSITIONS if name == "cancel" else WORKER_TRANSITIONS
    args = change(table, {"status": JobStatus.CANCELED.value}, "canceled")

    answer = run(redis, name, args | {key: CANCEL[key] for key in CANCEL.keys() & set(lua._read(name).args)})

    assert answer in {None, b"over"}
    assert redis.keys(f"{RECORD_PREFIX}*") == []
