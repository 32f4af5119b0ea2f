"""Server-sent events over HTTP, of jobs that a worker's record tells about."""

import asyncio
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.schemas import CompletedRequest, JobSummary
from models.generation import Progress
from tests.app.conftest import PROBLEM, make_client
from tests.servers import valkey
from worker.records import JobRecord


@pytest.fixture
def job_id(client: TestClient) -> str:
    found: str = client.post("/generate", json={"model": "tiny"}).json()["id"]
    return found


def read(text: str) -> list[tuple[str, str, Any]]:
    """(id, event, data) of each event that has an id: those that happened, and not how the job stood meanwhile."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    return [(block["id"], block["event"], json.loads(block["data"])) for block in blocks if "id" in block]


def run(redis: Redis, job_id: str) -> None:
    record = JobRecord(redis, job_id, ttl_seconds=60)
    record.start()
    record.progress(Progress(0.5, 0))
    record.succeed([], JobSummary(num_graphs=0, seconds=1))


def test_events_come_as_they_happen_and_end_with_the_job(client: TestClient, redis: Redis, job_id: str) -> None:
    later = threading.Timer(0.7, run, [redis, job_id])
    later.start()
    started = time.monotonic()

    answer = client.get(f"/jobs/{job_id}/events")
    later.join()

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert [(name, data.get("status") or data.get("fraction")) for _, name, data in read(answer.text)] == [
        ("status", "queued"),
        ("status", "running"),
        ("progress", 0.5),
        ("succeeded", None),
    ]
    assert 0.5 < time.monotonic() - started < 10


def test_a_job_that_waits_is_told_of_until_it_begins(client: TestClient, redis: Redis) -> None:
    first, second = (client.post("/generate", json={"model": "tiny"}).json()["id"] for _ in range(2))
    later = threading.Timer(1.5, run, [redis, second])
    later.start()

    text = client.get(f"/jobs/{second}/events").text
    later.join()

    outlook = [block for block in text.split("\n\n") if "event: progress" in block and "id: " not in block]
    progress = json.loads(outlook[0].split("data: ")[1])
    assert progress["position"] == 1
    assert (progress["fraction"], progress["graphs_done"], progress["num_graphs"]) == (0, 0, 1)
    assert [name for _, name, _ in read(text)] == ["status", "status", "progress", "succeeded"]
    assert first != second


def test_a_client_that_lost_its_connection_goes_on_where_it_was(client: TestClient, redis: Redis, job_id: str) -> None:
    run(redis, job_id)
    whole = read(client.get(f"/jobs/{job_id}/events").text)

    rest, nothing = (
        read(client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": seen}).text)
        for seen in (whole[1][0], whole[-1][0])
    )

    assert rest == whole[2:]
    assert nothing == []


def test_a_client_that_leaves_is_no_fault(redis_url: str, redis: Redis) -> None:
    client = make_client(redis_url)
    app: Any = client.app
    job_id = app.state.queue.submit(CompletedRequest(model="tiny", seed=1, sampler="ancestral", num_steps=1)).job_id
    run(redis, job_id)
    path = f"/jobs/{job_id}/events"
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "http_version": "1.1"}

    async def leave() -> None:
        gone = asyncio.Event()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.sleep(0.3)  # it reads no more, while others of the events are on their way
                gone.set()
                await asyncio.sleep(10)

        try:
            await app(scope, receive, send)
        finally:
            await app.state.queue.close()

    asyncio.run(leave())

    labels = {"method": "GET", "route": "/jobs/{job_id}/events", "status": "500"}
    assert app.state.metrics.registry.get_sample_value("digress_http_requests_total", labels) is None


def test_what_cannot_be_followed_is_a_problem(client: TestClient, job_id: str) -> None:
    missing = client.get("/jobs/none/events")
    odd = client.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": "yesterday"})

    assert (missing.status_code, odd.status_code) == (404, 400)
    assert missing.headers["Content-Type"] == odd.headers["Content-Type"] == PROBLEM
    assert odd.json()["detail"] == "Last-Event-ID takes the id of an event of this job, not 'yesterday'"


def test_a_stream_that_loses_redis_ends_and_does_not_fail(tmp_path: Path) -> None:
    with valkey(tmp_path) as url, make_client(url) as client, Redis.from_url(url) as redis:
        job_id = client.post("/generate", json={"model": "tiny"}).json()["id"]
        server = int(redis.info("server")["process_id"])
        threading.Timer(0.7, os.kill, [server, signal.SIGKILL]).start()

        answer = client.get(f"/jobs/{job_id}/events")

        assert 'status="500"' not in client.get("/metrics").text
    assert answer.status_code == 200
    assert [(name, data) for _, name, data in read(answer.text)] == [("status", {"status": "queued"})]
