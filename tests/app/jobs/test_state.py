import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.jobs.keys import WORKERS_KEY, worker_key
from app.jobs.reports import WorkerReport
from tests.app.jobs.conftest import ask, progress


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
