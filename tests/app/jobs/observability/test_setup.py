"""What API and worker log."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis import Redis

from app.access.api_keys import ApiKeyStore
from app.commands.supervisor import free_port
from app.jobs.observability.setup import start_tracing
from app.settings import Settings, SettingsError
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, forked
from tests.servers import DIGRESS, running, valkey, wait_until

SECRET, HOOK_SECRET, HOOK_TOKEN = (
    "a-key-that-no-log-may-hold",
    "whsec_bm9yLXdoYXQtc2lnbnMtd2ViaG9va3MtZXZlcg==",
    "nor-what-their-url-holds",
)


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
    lines_of_job = [line for line in logs if line.get("request_id") == "r-1"]

    assert [line["event"] for line in lines_of_job] == ["job queued", "request", "job begins", "job ended"]
    queued, request, begins, ended = lines_of_job
    assert (request["path"], request["status"]) == ("/generate", 200)
    assert ended["outcome"] == "succeeded"
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


def test_without_the_sdk_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)  # as if it were not there

    with pytest.raises(SettingsError, match=r"DIGRESS_TRACING needs .*pip install .*\[tracing\]"):
        start_tracing(Settings(tracing=True), "digress-api")
