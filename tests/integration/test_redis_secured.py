"""A Redis that speaks TLS and asks for a password."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.commands.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests import tcp_proxy
from tests.conftest import make_card, make_denoiser
from tests.forked import forked
from tests.servers import DIGRESS, running, stack, valkey, wait_until

PASSWORD = "c0rrect-h0rse"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*make.split(), *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    return certificate, key


@pytest.fixture(scope="module")
def port(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    target = free_port()
    with valkey(tmp_path_factory.mktemp("redis"), port=target) as url:
        with redis.Redis.from_url(url) as client:
            client.config_set("requirepass", PASSWORD)
        # The Valkey of the tests is built without TLS.
        port = free_port()
        command = [sys.executable, tcp_proxy.__file__, str(port), str(target), *map(str, certificate)]
        with running(command, {}, tmp_path_factory.mktemp("proxy") / "proxy.log"):
            wait_until(lambda: listens(port), seconds=10)
            yield port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_jobs_go_through_it(port: int, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "checkpoints" / "tiny")
    environment = {
        "DIGRESS_REDIS_URL": f"rediss://:{PASSWORD}@localhost:{port}/0?ssl_ca_certs={certificate[0]}",
        "DIGRESS_CHECKPOINTS": str(tmp_path / "checkpoints"),
    }

    with stack(tmp_path, environment) as (client, _):
        job = client.post("/generate", json={"model": "tiny"}, headers={"Prefer": "wait=30"}).json()

    assert job["status"] == "succeeded"
    assert PASSWORD not in (tmp_path / "serve.log").read_text()


@pytest.mark.parametrize(
    ("password", "trusted", "words"),
    [
        ("wr0ng", True, "invalid username-password pair"),
        (PASSWORD, False, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(
    port: int, certificate: tuple[Path, Path], tmp_path: Path, password: str, *, trusted: bool, words: str
) -> None:
    ask = f"?ssl_ca_certs={certificate[0]}" if trusted else ""
    environment = {"DIGRESS_REDIS_URL": f"rediss://:{password}@localhost:{port}/0{ask}"}
    log = tmp_path / "worker.log"

    with forked([DIGRESS, "worker"], environment, log):
        wait_until(lambda: words in log.read_text(), seconds=20)

    assert password not in log.read_text()
