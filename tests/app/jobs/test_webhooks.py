"""Webhooks as a receiver sees them, and what they refuse."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.jobs.keys import WEBHOOKS_KEY
from app.jobs.webhooks import PrivateAddress, WebhookSender, _resolve
from app.schemas import JobSummary
from tests.app.conftest import make_client
from tests.servers import wait_until
from worker.records import JobRecord

SECRET = "a-secret-that-both-know"


class Receiver:
    """An HTTP server that answers with the statuses it was told, then with 204, and remembers what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body, self.path))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?team=a"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def serving(url: str, *, allow_private: bool = True) -> TestClient:
    return make_client(url, webhooks={"secret": SECRET, "allow_private": allow_private, "retry_delays": (0.2, 0.2)})


def end(redis: Redis, client: TestClient, url: str) -> str:
    job_id: str = client.post("/generate", json={"model": "tiny", "webhook": url}).json()["id"]
    JobRecord(redis, job_id, ttl_seconds=60).succeed([], JobSummary(num_graphs=0, seconds=1))
    return job_id


def test_the_end_of_a_job_is_told_once_and_signed(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    with serving(redis_url) as client, serving(redis_url):  # two replicas
        job_id = end(redis, client, receiver.url)
        wait_until(lambda: not redis.zcard(WEBHOOKS_KEY), seconds=20)

    ((headers, body, path),) = receiver.got
    assert path == "/hook?team=a"
    message = json.loads(body)
    assert (message["type"], message["data"]["id"]) == ("job.succeeded", job_id)
    assert "graphs" not in message["data"]
    assert headers["webhook-id"] == job_id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{job_id}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_canceled_job_is_told_too(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    with serving(redis_url) as client:
        client.delete(client.post("/generate", json={"model": "tiny", "webhook": receiver.url}).headers["Location"])
        wait_until(lambda: bool(receiver.got), seconds=20)

    assert json.loads(receiver.got[0][1])["type"] == "job.canceled"


def test_the_sender_ends_though_a_cancellation_was_swallowed(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a library may that is busy with a connection just then; the API would never stop."""
    swallowed = threading.Event()

    async def send(self: WebhookSender, job_id: str) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if swallowed.is_set():
                raise
            swallowed.set()

    monkeypatch.setattr(WebhookSender, "_send", send)
    started = threading.Thread(target=serve_and_stop, args=[redis_url, redis], daemon=True)
    started.start()
    started.join(20)

    assert swallowed.is_set()
    assert not started.is_alive()


def serve_and_stop(redis_url: str, redis: Redis) -> None:
    with serving(redis_url) as client:
        end(redis, client, "http://127.0.0.1:1/")
        time.sleep(1)


@pytest.mark.parametrize(("statuses", "times"), [([500], 2), ([302, 503], 3), ([500] * 9, 3)])
def test_a_receiver_that_fails_is_tried_again_for_a_while(
    redis_url: str, redis: Redis, receiver: Receiver, statuses: list[int], times: int
) -> None:
    receiver.statuses = list(statuses)
    with serving(redis_url) as client:
        end(redis, client, receiver.url)
        wait_until(lambda: not redis.zcard(WEBHOOKS_KEY), seconds=20)

    assert len(receiver.got) == times
    assert {path for _, _, path in receiver.got} == {"/hook?team=a"}


def test_private_addresses_are_told_nothing(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    with serving(redis_url, allow_private=False) as client:
        end(redis, client, receiver.url)
        wait_until(lambda: not redis.zcard(WEBHOOKS_KEY), seconds=20)

    assert receiver.got == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "224.0.0.1",
        "2130706433",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "::7f00:1",
        "fec0::1",
        "0x7f.1",
    ],
)
def test_no_spelling_of_a_private_address_passes(host: str) -> None:
    with pytest.raises((PrivateAddress, OSError)):
        asyncio.run(_resolve(host, 80, allow_private=False))


def test_a_public_address_passes() -> None:
    assert asyncio.run(_resolve("8.8.8.8", 443, allow_private=False)) == "8.8.8.8"


def test_without_a_secret_there_are_none(client: TestClient) -> None:
    answer = client.post("/generate", json={"model": "tiny", "webhook": "https://example.org"})

    assert answer.status_code == 422
    assert "DIGRESS_WEBHOOK_SECRET" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["ftp://example.org", "file:///etc/passwd", "example.org", "http://", 7])
def test_what_is_no_address_is_refused(redis_url: str, url: Any) -> None:
    with serving(redis_url) as client:
        assert client.post("/generate", json={"model": "tiny", "webhook": url}).status_code == 422
