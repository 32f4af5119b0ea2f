import json
import time
from typing import Any

from fastapi.testclient import TestClient
from redis import Redis

from app.jobs.keys import record_key
from tests.app.jobs.conftest import ask


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
