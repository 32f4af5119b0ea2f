"""Request ids, logs and headers, by a process that writes its log as JSON."""

import pytest
from fastapi.testclient import TestClient

from app.http.middleware import SECURITY_HEADERS


@pytest.mark.parametrize("path", ["/models", "/jobs/none", "/nowhere", "/metrics", "/health/live"])
def test_every_answer_tells_browsers_how_to_treat_it(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("given", "is_kept"), [("abc-1.2_X", True), ("", False), ("a b", False), ("x" * 65, False)])
def test_a_request_keeps_its_id_or_is_given_one(client: TestClient, given: str, is_kept: bool) -> None:
    answers = [client.get("/models", headers={"X-Request-ID": given}) for _ in range(2)]

    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert (ids == [given, given]) == is_kept
    assert is_kept or ids[0] != ids[1]


def test_an_unforeseen_fault_is_counted_and_tells_the_id(client: TestClient) -> None:
    client.app.state.served_models = None  # type: ignore[attr-defined]

    answer = client.get("/models", headers={"X-Request-ID": "r-500"})

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "r-500")
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    labels = {"method": "GET", "route": "/models", "status": "500"}
    registry = client.app.state.metrics.registry  # type: ignore[attr-defined]
    assert registry.get_sample_value("digress_http_requests_total", labels) == 1
