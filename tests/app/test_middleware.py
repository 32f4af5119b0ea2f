"""Request ids, logs and headers, by a process that writes its log as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.servers import DIGRESS, running, valkey, wait_until

SECRET = "a-key-that-no-log-may-hold"


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
    client.app.state.shelf = None  # type: ignore[attr-defined]

    answer = client.get("/models", headers={"X-Request-ID": "r-500"})

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "r-500")
    labels = {"method": "GET", "route": "/models", "status": "500"}
    registry = client.app.state.metrics.registry  # type: ignore[attr-defined]
    assert registry.get_sample_value("digress_http_requests_total", labels) == 1


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What API and worker log of one job, and of a stray key, as JSON."""
    folder = tmp_path_factory.mktemp("logs")
    save_checkpoint(make_card(), make_denoiser(make_card()), folder / "checkpoints" / "tiny")
    port = free_port()
    with valkey(folder) as url:
        environment = {
            "DIGRESS_REDIS_URL": url,
            "DIGRESS_CHECKPOINTS": str(folder / "checkpoints"),
            "DIGRESS_PORT": str(port),
            "DIGRESS_LOG_FORMAT": "json",
            "DIGRESS_AUTH": "keys",
            "DIGRESS_ADMIN_KEY": SECRET,
        }
        with (
            running([DIGRESS, "api"], environment, folder / "api.log"),
            running([sys.executable, "-m", "worker"], environment, folder / "worker.log"),
            httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
        ):
            wait_until(lambda: is_up(client), seconds=40)
            headers = {"Authorization": f"Bearer {SECRET}", "X-Request-ID": "r-1", "Prefer": "wait=60"}
            answer = client.post("/generate", json={"model": "tiny"}, headers=headers)
            assert answer.json()["status"] == "succeeded", answer.text
            client.get("/models", headers={"Authorization": f"Bearer {SECRET}x"})
        text = "".join((folder / f"{part}.log").read_text() for part in ("api", "worker"))
    assert SECRET not in text
    return [json.loads(line) for line in text.splitlines()]


def is_up(client: httpx2.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_job_can_be_followed_through_both_processes(logs: list[dict[str, Any]]) -> None:
    told = [line for line in logs if line.get("request_id") == "r-1"]

    assert [line["event"] for line in told] == ["request", "job ended"]
    assert (told[0]["path"], told[0]["status"]) == ("/generate", 200)
    assert told[1]["how"] == "succeeded"
    assert len(told[1]["job_id"]) == 32


def test_every_line_of_the_log_has_a_time_and_a_level(logs: list[dict[str, Any]]) -> None:
    assert len(logs) > 3
    assert all(line["timestamp"].endswith("Z") and line["level"] and line["event"] for line in logs)
    assert not [line for line in logs if line.get("path", "").startswith("/health")]


def test_the_log_is_a_file_for_people_by_default(tmp_path: Path) -> None:
    with running([DIGRESS, "api"], {"DIGRESS_PORT": str(free_port())}, tmp_path / "log") as process:
        assert process.wait(30) == 1

    assert (tmp_path / "log").read_text().startswith("digress: DIGRESS_REDIS_URL is not set")
