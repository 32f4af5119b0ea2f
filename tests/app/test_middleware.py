"""Request ids, logs and headers, by a process that writes its log as JSON."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi.testclient import TestClient
from redis import Redis
from starlette.types import Message, Receive, Scope, Send

from app.access.api_keys import ApiKeyStore
from app.commands.supervisor import free_port
from app.http.limits import BodyLimitMiddleware, HeaderTimeoutProtocol
from app.http.middleware import SECURITY_HEADERS
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, forked
from tests.servers import DIGRESS, running, valkey, wait_until

HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: digress\r\nX-Slow: "
SECRET, HOOK_SECRET, HOOK_TOKEN = "a-key-that-no-log-may-hold", "nor-what-signs-webhooks", "nor-what-their-url-holds"


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
            "DIGRESS_WEBHOOK_SECRET": HOOK_SECRET,
        }
        _, user_key = ApiKeyStore(Redis.from_url(url)).create("chemistry")
        with (
            forked([DIGRESS, "api"], environment, folder / "api.log"),
            forked(WORKER, environment, folder / "worker.log"),
            httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
        ):
            wait_until(lambda: is_up(client), seconds=40)
            headers = {"Authorization": f"Bearer {SECRET}", "X-Request-ID": "r-1", "Prefer": "wait=60"}
            answer = client.post("/generate", json={"model": "tiny"}, headers=headers)
            assert answer.json()["status"] == "succeeded", answer.text
            client.get("/models", headers={"Authorization": f"Bearer {SECRET}x"})
            hooked = {"model": "tiny", "webhook": f"https://hooks.example/{HOOK_TOKEN}?token={HOOK_TOKEN}"}
            headers = {"Authorization": f"Bearer {user_key}", "Prefer": "wait=60"}
            assert client.post("/generate", json=hooked, headers=headers).json()["status"] == "succeeded"
            wait_until(lambda: "webhook" in (folder / "api.log").read_text(), seconds=20)
        text = "".join((folder / f"{part}.log").read_text() for part in ("api", "worker"))
    assert not [secret for secret in (SECRET, HOOK_SECRET, HOOK_TOKEN, user_key) if secret in text]
    return [json.loads(line) for line in text.splitlines()]


def is_up(client: httpx2.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_job_can_be_followed_through_both_processes(logs: list[dict[str, Any]]) -> None:
    told = [line for line in logs if line.get("request_id") == "r-1"]

    assert [line["event"] for line in told] == ["job queued", "request", "job begins", "job ended"]
    queued, request, begins, ended = told
    assert (request["path"], request["status"]) == ("/generate", 200)
    assert ended["how"] == "succeeded"
    assert len(queued["job_id"]) == 32
    assert queued["job_id"] == begins["job_id"] == ended["job_id"]


def test_every_line_of_the_log_has_a_time_and_a_level(logs: list[dict[str, Any]]) -> None:
    assert len(logs) > 3
    assert all(line["timestamp"].endswith("Z") and line["level"] and line["event"] for line in logs)
    assert not [line for line in logs if line.get("path", "").startswith("/health")]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_of_the_log_is_one_write(unbuffered: str) -> None:
    """API and worker share a stream: of a line in two writes, the other's may come between."""
    code = (
        "import logging, structlog\n"
        "from app.jobs.observability.setup import configure_logging\nfrom app.settings import read_settings\n"
        "configure_logging(read_settings())\n"
        "structlog.get_logger().info('ours')\n"
        "logging.getLogger('library').warning('theirs')\n"
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "DIGRESS_LOG_FORMAT": "json"}
        subprocess.run([sys.executable, "-c", code], stderr=theirs.fileno(), env=environment, check=True)
        ours.setblocking(False)
        written = [ours.recv(10_000), ours.recv(10_000)]
        with pytest.raises(BlockingIOError):
            ours.recv(1)

    assert [json.loads(line)["event"] for line in written] == ["ours", "theirs"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_log_shows_what_variables_held(form: str) -> None:
    code = (
        "import structlog\n"
        "from app.jobs.observability.setup import configure_logging\nfrom app.settings import read_settings\n"
        "configure_logging(read_settings())\n"
        "def ask(key):\n"
        "    raise ValueError('no')\n"
        "try:\n"
        "    ask('dg_' + 'se' + 'cret')\n"
        "except ValueError:\n"
        "    structlog.get_logger().exception('unexpected error')\n"
    )
    environment = os.environ | {"DIGRESS_LOG_FORMAT": form}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)

    assert "unexpected error" in done.stderr
    assert "ValueError" in done.stderr
    assert "dg_secret" not in done.stderr


def test_the_log_is_a_file_for_people_by_default(tmp_path: Path) -> None:
    with running([DIGRESS, "api"], {"DIGRESS_PORT": str(free_port())}, tmp_path / "log") as process:
        assert process.wait(30) == 1

    assert (tmp_path / "log").read_text().startswith("digress: DIGRESS_REDIS_URL is not set")


async def stalled() -> Message:
    """What a client sends that has gone silent in the middle of its body."""
    await asyncio.sleep(60)
    raise AssertionError("nobody gave up")


def test_a_body_that_does_not_arrive_is_waited_for_only_so_long() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the request went on without its body")

    scope = {"type": "http", "method": "POST", "path": "/generate", "headers": [(b"content-length", b"10")]}
    asyncio.run(BodyLimitMiddleware(never, max_bytes=100, max_seconds=0.2)(scope, stalled, send))

    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["detail"] == "the body did not arrive within 0.2 seconds"


class HastyProtocol(HeaderTimeoutProtocol):
    max_seconds = 0.5


@pytest.fixture
def hasty_port() -> Iterator[int]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1)  # an answer may take its time
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, http=HastyProtocol, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, seconds=20)
    yield port
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(("answered", "sent"), [(0, b""), (0, HALF_A_HEAD), (1, HALF_A_HEAD)])
def test_a_connection_without_the_head_of_a_request_is_closed(hasty_port: int, answered: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hasty_port), timeout=10) as connection:
        for _ in range(answered):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: digress\r\n\r\n")
            assert connection.recv(1_000).startswith(b"HTTP/1.1 204")
        connection.sendall(sent)

        assert connection.recv(1_000) == b""
