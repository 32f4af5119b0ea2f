"""Webhooks as a receiver sees them, and what they refuse."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from standardwebhooks import Webhook, WebhookVerificationError

from app.access.api_keys import ApiKeyStore
from app.jobs.keys import WEBHOOK_OWNERS_KEY, WEBHOOKS_KEY
from app.jobs.webhooks.due import Due
from app.jobs.webhooks.message import WebhookMessage
from app.jobs.webhooks.sender import _MAX_OF_OWNER, WebhookSender
from app.schemas import JobSummary
from app.settings import SettingsError, read_settings
from tests.app.conftest import make_client
from tests.servers import wait_until
from worker.records import JobRecord

ROOT = Path(__file__).parents[4]
SECRET = "whsec_YSBzZWNyZXQgdGhhdCBib3RoIG9mIHRoZW0ga25vdw=="
ADMIN_KEY = "a-key-for-the-first-admin"


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


def serving(url: str, *, allow_private: bool = True, admin_key: str | None = None) -> TestClient:
    webhooks = {"secret": SECRET, "allow_private": allow_private, "retry_delays": (0.2, 0.2)}
    return make_client(url, admin_key=admin_key, webhooks=webhooks)


def end(redis: Redis, client: TestClient, url: str, token: str = "") -> str:
    headers = bearer(token) if token else {}
    job_id: str = client.post("/generate", json={"model": "tiny", "webhook": url}, headers=headers).json()["id"]
    JobRecord(redis, job_id, ttl_seconds=60).succeed([], JobSummary(num_graphs=0, seconds=1))
    return job_id


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_end_of_a_job_is_told_once_and_signed(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    with serving(redis_url) as client, serving(redis_url):  # two replicas
        job_id = end(redis, client, receiver.url)
        wait_until(lambda: not redis.exists(WEBHOOKS_KEY, WEBHOOK_OWNERS_KEY), seconds=20)

    ((headers, body, path),) = receiver.got
    assert path == "/hook?team=a"
    message = json.loads(body)
    assert (message["type"], message["data"]["id"]) == ("job.succeeded", job_id)
    assert "graphs" not in message["data"]
    assert headers["webhook-id"] == job_id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert Webhook(SECRET).verify(body, headers) == message
    assert WebhookMessage.model_validate(message).data.graphs is None
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"succeeded", b"failed"), headers)


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

    async def send(self: WebhookSender, due: Due) -> None:
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
        wait_until(lambda: not redis.exists(WEBHOOKS_KEY, WEBHOOK_OWNERS_KEY), seconds=20)

    assert len(receiver.got) == times
    assert {path for _, _, path in receiver.got} == {"/hook?team=a"}


def test_private_addresses_are_told_nothing(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    with serving(redis_url, allow_private=False) as client:
        end(redis, client, receiver.url)
        wait_until(lambda: not redis.exists(WEBHOOKS_KEY, WEBHOOK_OWNERS_KEY), seconds=20)

    assert receiver.got == []


def test_a_message_is_verified_as_the_readme_says(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    (code,) = re.findall(r"```py\n(.*?)```", (ROOT / "app" / "README.md").read_text(), re.DOTALL)
    with serving(redis_url) as client:
        job_id = end(redis, client, receiver.url)
        wait_until(lambda: bool(receiver.got), seconds=20)

    ((headers, body, _),) = receiver.got
    names: dict[str, Any] = {"secret": SECRET, "body": body, "headers": headers}
    exec(code, names)
    assert names["job"]["id"] == job_id


def test_each_key_has_a_secret_of_its_own(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    store = ApiKeyStore(redis)
    with serving(redis_url, admin_key=ADMIN_KEY) as client:
        tokens = [ADMIN_KEY, store.create("one")[1], store.create("other")[1]]
        secrets = [client.get("/webhooks/secret", headers=bearer(token)).json()["secret"] for token in tokens]
        jobs = [end(redis, client, receiver.url, token) for token in tokens]
        wait_until(lambda: len(receiver.got) == 3, seconds=20)

    assert len({SECRET, *secrets}) == 4
    messages = {headers["webhook-id"]: (body, headers) for headers, body, _ in receiver.got}
    for secret, job_id in zip(secrets, jobs, strict=True):
        assert Webhook(secret).verify(*messages[job_id])["data"]["id"] == job_id
        for other in {SECRET, *secrets} - {secret}:
            with pytest.raises(WebhookVerificationError):
                Webhook(other).verify(*messages[job_id])


def test_a_key_made_anew_has_a_new_secret_and_one_that_is_revoked_is_told_nothing(
    redis_url: str, redis: Redis, receiver: Receiver
) -> None:
    store = ApiKeyStore(redis)
    with serving(redis_url, admin_key=ADMIN_KEY) as client:
        _, token = store.create("one")
        job_id = client.post(
            "/generate", json={"model": "tiny", "webhook": receiver.url}, headers=bearer(token)
        ).json()["id"]
        first = client.get("/webhooks/secret", headers=bearer(token)).json()
        store.revoke("one")
        JobRecord(redis, job_id, ttl_seconds=60).succeed([], JobSummary(num_graphs=0, seconds=1))
        wait_until(lambda: not redis.exists(WEBHOOKS_KEY, WEBHOOK_OWNERS_KEY), seconds=20)
        _, token = store.create("one")
        second = client.get("/webhooks/secret", headers=bearer(token)).json()

    assert receiver.got == []
    assert first != second


def test_the_secret_of_the_service_is_told_to_nobody(redis_url: str) -> None:
    with serving(redis_url) as client:
        answer = client.get("/webhooks/secret")

    assert answer.status_code == 403
    assert "whsec_" not in answer.text


def test_a_receiver_that_never_answers_delays_nobody_else(redis_url: str, redis: Redis, receiver: Receiver) -> None:
    store = ApiKeyStore(redis)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=200) as silent,
        serving(redis_url, admin_key=ADMIN_KEY) as client,
    ):
        (_, slow), (_, quick) = store.create("slow"), store.create("quick")
        for _ in range(3 * _MAX_OF_OWNER):
            end(redis, client, f"http://127.0.0.1:{silent.getsockname()[1]}/", slow)
        wait_until(lambda: redis.zcard(f"{WEBHOOK_OWNERS_KEY}") == 1, seconds=5)
        time.sleep(1)
        job_id = end(redis, client, receiver.url, quick)
        wait_until(lambda: bool(receiver.got), seconds=3)

    assert receiver.got[0][0]["webhook-id"] == job_id


@pytest.mark.parametrize(
    "secret", ["a-secret-that-both-know", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "x" * 43, SECRET + "!"]
)
def test_a_secret_that_no_library_takes_is_refused_when_it_starts(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_WEBHOOK_SECRET", secret)

    with pytest.raises(SettingsError, match=r"DIGRESS_WEBHOOK_SECRET: .*openssl rand -base64 32") as refused:
        read_settings()
    assert secret not in str(refused.value).replace("whsec_ and", "").replace("whsec_$", "")


def test_without_a_secret_there_are_none(client: TestClient) -> None:
    answer = client.post("/generate", json={"model": "tiny", "webhook": "https://example.org"})

    assert answer.status_code == 422
    assert "DIGRESS_WEBHOOK_SECRET" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["ftp://example.org", "file:///etc/passwd", "example.org", "http://", 7])
def test_what_is_no_address_is_refused(redis_url: str, url: Any) -> None:
    with serving(redis_url) as client:
        assert client.post("/generate", json={"model": "tiny", "webhook": url}).status_code == 422
