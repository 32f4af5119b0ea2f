"""`python -m worker` as an operator meets it."""

import signal
from pathlib import Path

import pytest
import torch
from redis import Redis

from app.commands.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, forked, run
from tests.servers import running, valkey, wait_until
from worker.__main__ import connect


def num_workers(url: str) -> int:
    with Redis.from_url(url) as redis:
        return int(redis.zcard("digress:workers"))


def save_tiny(folder: Path) -> Path:
    save_checkpoint(make_card(), make_denoiser(make_card()), folder / "tiny")
    return folder


def test_a_worker_stops_at_once_when_idle(tmp_path: Path) -> None:
    with valkey(tmp_path) as url:
        environment = {"DIGRESS_REDIS_URL": url, "DIGRESS_CHECKPOINTS": str(save_tiny(tmp_path / "checkpoints"))}
        with running(WORKER, environment, tmp_path / "log") as process:
            wait_until(lambda: num_workers(url) == 1, seconds=40)

            process.send_signal(signal.SIGTERM)

            assert process.wait(10) == 0
            assert num_workers(url) == 0


def test_every_jobs_thread_has_a_connection(tmp_path: Path) -> None:
    with valkey(tmp_path) as url, connect(url, max_jobs=128) as redis:
        held = [redis.connection_pool.get_connection() for _ in range(200)]

        assert redis.ping()
        for connection in held:
            redis.connection_pool.release(connection)


def test_a_broken_checkpoint_is_logged_and_the_rest_is_served(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "checkpoints")
    (folder / "tiny" / "weights.safetensors").write_bytes(b"?")
    with valkey(tmp_path) as url:
        environment = {"DIGRESS_REDIS_URL": url, "DIGRESS_CHECKPOINTS": str(folder)}
        with forked(WORKER, environment, tmp_path / "log"):
            wait_until(lambda: num_workers(url) == 1, seconds=40)

    assert "model cannot be used" in (tmp_path / "log").read_text()


def test_a_worker_says_that_it_waits_for_redis(tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    with forked(WORKER, {"DIGRESS_REDIS_URL": f"redis://:secret@127.0.0.1:{port}/0"}, log):
        wait_until(lambda: "trying again" in log.read_text(), seconds=40)

    assert str(port) in log.read_text()
    assert "secret" not in log.read_text()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "DIGRESS_REDIS_URL is not set"),
        ({"DIGRESS_LEASE_SECONDS": "1"}, "DIGRESS_LEASE_SECONDS: Input should be greater than or equal to 3"),
        (
            {"DIGRESS_REDIS_URL": "http://:secret@host"},
            "DIGRESS_REDIS_URL: URL scheme should be 'redis', 'rediss' or 'unix'",
        ),
        ({"DIGRESS_CHECKPOINTS": "/nonexistent"}, "/nonexistent is not a folder"),
        pytest.param(
            {"DIGRESS_DEVICE": "cuda"},
            "sees 0 GPUs here; use cpu or auto",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU"),
        ),
    ],
)
def test_a_setting_that_does_not_fit_is_one_line_that_names_it(environment: dict[str, str], words: str) -> None:
    done = run(WORKER, {"DIGRESS_REDIS_URL": "redis://127.0.0.1:1/0"} | environment if environment else {})

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
