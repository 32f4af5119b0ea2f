"""How long a request may wait for its job."""

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.catalogue.served_models import ServedModels
from app.jobs.keys import record_key
from app.jobs.queue import JobQueue, Submission
from app.main import create_app
from app.settings import Settings
from tests.app.conftest import PROBLEM
from tests.conftest import make_card


def test_waiting_in_vain_is_answered_in_time_with_202(client: TestClient) -> None:
    started = time.monotonic()

    answer = client.post("/generate", json={"model": "tiny"}, headers={"Prefer": "respond-async, wait=1"})

    assert 0.9 < time.monotonic() - started < 5
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("prefer", [["respond-async", "wait=1"], ["Wait = 1; x=y"], ['wait="1"']])
def test_a_wait_is_found_wherever_it_stands(client: TestClient, prefer: list[str]) -> None:
    started = time.monotonic()
    client.post("/generate", json={"model": "tiny"}, headers=[("Prefer", line) for line in prefer])

    assert time.monotonic() - started > 0.9


@pytest.mark.parametrize("prefer", ["foo-wait=99", 'handling="wait=99"', "waiting=99", ""])
def test_other_preferences_are_passed_over(client: TestClient, prefer: str) -> None:
    assert client.post("/generate", json={"model": "tiny"}, headers={"Prefer": prefer}).status_code == 202


@pytest.mark.parametrize("wait", ["0", "61", "soon", "1.5", "-1", ""])
def test_a_wait_that_cannot_be_is_refused(client: TestClient, wait: str) -> None:
    answer = client.post("/generate", json={"model": "tiny"}, headers={"Prefer": f"wait={wait}"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert "1 to 60" in answer.json()["detail"]


def test_without_prefer_a_job_is_accepted_even_if_it_has_ended_already(redis_url: str) -> None:
    class InstantQueue(JobQueue):
        def submit(self, *arguments: Any, **options: Any) -> Submission:
            submission = super().submit(*arguments, **options)
            with Redis.from_url(redis_url) as redis:
                redis.hset(record_key(submission.job_id), "status", "failed")
            return submission

    async_redis = AsyncRedis.from_url(redis_url)
    queue = InstantQueue(Redis.from_url(redis_url), async_redis, job_timeout_seconds=60, job_ttl_seconds=600)
    with TestClient(
        create_app(queue, ServedModels({"tiny": make_card()}, Path("none"), async_redis), Settings()),
        base_url="http://localhost:8000",
    ) as client:
        answer = client.post("/generate", json={"model": "tiny"})

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    assert answer.json()["status"] == "failed"
