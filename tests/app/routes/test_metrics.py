"""What Prometheus reads of the API, after requests of every kind."""

import time

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from app.jobs.keys import WORKERS_KEY
from app.jobs.state import QueueLimits
from tests.app.conftest import make_client


def scrape(client: TestClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """(name, labels) -> value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(metrics: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return metrics[f"digress_{name}", frozenset(labels.items())]


def test_requests_are_counted_by_route_and_never_by_id(client: TestClient) -> None:
    location = client.post("/generate", json={"model": "tiny"}).headers["Location"]
    for path in (location, "/jobs/none", "/nowhere", "/nowhere/else"):
        client.get(path)

    metrics = scrape(client)

    def count(route: str, status: int, method: str = "GET") -> float:
        return value(metrics, "http_requests_total", method=method, route=route, status=str(status))

    assert count("/generate", 202, "POST") == 1
    assert count("/jobs/{job_id}", 200) == count("/jobs/{job_id}", 404) == 1
    assert count("unmatched", 404) == 2
    assert value(metrics, "http_request_duration_seconds_count", method="POST", route="/generate") == 1
    assert location.rpartition("/")[2] not in str(metrics)


def test_jobs_are_counted_as_they_are_queued_and_as_they_are_turned_down(redis_url: str, redis: Redis) -> None:
    with make_client(redis_url, limits=QueueLimits(queued_jobs=3)) as client:
        for _ in range(2):
            client.post("/generate", json={"model": "tiny", "priority": "high"}, headers={"Idempotency-Key": "1"})
        for _ in range(3):
            client.post("/generate/conditional", json={"model": "tiny", "targets": {"a": 1}})
        client.post("/generate", json={"model": "none"})

        metrics = scrape(client)

    submitted = {"model": "tiny", "kind": "unconditional", "priority": "high"}
    assert value(metrics, "jobs_submitted_total", **submitted) == 1
    assert value(metrics, "jobs_submitted_total", **submitted | {"kind": "conditional", "priority": "normal"}) == 2
    assert value(metrics, "jobs_rejected_total", reason="queue_full") == 1
    assert value(metrics, "jobs_rejected_total", reason="rate") == 0


def test_the_queue_is_read_from_redis_at_every_scrape(client: TestClient, redis: Redis) -> None:
    empty = scrape(client)
    redis.zadd(WORKERS_KEY, {"one": time.time(), "dead": time.time() - 100})
    for _ in range(3):
        client.post("/generate", json={"model": "tiny"})
    time.sleep(1.1)

    full = scrape(client)

    assert [value(empty, name) for name in ("queue_jobs", "queue_oldest_job_age_seconds", "workers")] == [0, 0, 0]
    assert (value(full, "queue_jobs"), value(full, "workers"), value(full, "redis_up")) == (3, 1, 1)
    assert 0.1 < value(full, "queue_oldest_job_age_seconds") < 10  # Redis tells whole seconds
    assert value(full, "queue_backlog_seconds") > 0


def test_without_redis_the_metrics_say_so(free_port_url: str) -> None:
    with make_client(free_port_url) as client:
        metrics = scrape(client)

    assert value(metrics, "redis_up") == 0
    assert ("digress_queue_jobs", frozenset()) not in metrics


def test_a_method_that_there_is_not_is_no_label(client: TestClient) -> None:
    for number in range(3):
        client.request(f"ODD{number}", "/models")

    labels = {"method": "OTHER", "route": "/models", "status": "405"}
    metrics = scrape(client)

    assert value(metrics, "http_requests_total", **labels) == 3
    assert "ODD" not in str(metrics)
