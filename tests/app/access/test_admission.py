"""A key that is revoked while an answer is being sent."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Iterator

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.access import admission
from app.access.admission import while_admitted
from app.access.api_keys import ApiKeyStore
from app.http.errors import ResponseAborted, Unauthorized
from app.routes.graphs import _admitted
from tests.app.conftest import make_client

ADMIN_KEY = "a-key-for-the-first-admin"


@pytest.fixture
def guarded(redis_url: str, redis: Redis) -> Iterator[TestClient]:
    with make_client(redis_url, admin_key=ADMIN_KEY) as client:
        yield client


def revoke_soon(redis: Redis, name: str) -> threading.Timer:
    timer = threading.Timer(0.5, ApiKeyStore(redis).revoke, [name])
    timer.start()
    return timer


def test_the_events_of_a_job_end_soon_after_its_key_is_revoked(guarded: TestClient, redis: Redis) -> None:
    _, token = ApiKeyStore(redis).create("chemistry")
    headers = {"Authorization": f"Bearer {token}"}
    job = guarded.post("/generate", json={"model": "tiny"}, headers=headers).json()
    revoke_soon(redis, "chemistry")
    # Or a stream that goes on would never end.
    ending = threading.Timer(
        12, guarded.delete, [job["links"]["self"]], {"headers": {"Authorization": f"Bearer {ADMIN_KEY}"}}
    )
    ending.start()
    started = time.monotonic()

    answer = guarded.get(job["links"]["events"], headers=headers)

    ending.cancel()
    assert answer.status_code == 200
    assert time.monotonic() - started < 8
    assert "event: canceled" not in answer.text
    assert guarded.get(job["links"]["events"], headers=headers).status_code == 401


def test_who_waits_for_a_job_is_not_given_it_after_the_key_is_revoked(guarded: TestClient, redis: Redis) -> None:
    _, token = ApiKeyStore(redis).create("chemistry")
    revoke_soon(redis, "chemistry")

    answer = guarded.post(
        "/generate", json={"model": "tiny"}, headers={"Authorization": f"Bearer {token}", "Prefer": "wait=1"}
    )

    assert answer.status_code == 401
    assert "id" not in json.loads(answer.text)


def test_a_stream_asks_again_and_stops_at_the_first_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_ASK_SECONDS", 0)
    closed: list[bool] = []
    asked: list[bool] = []
    got: list[int] = []

    async def items() -> AsyncGenerator[int, None]:
        try:
            for number in range(10):
                yield number
        finally:
            closed.append(True)

    async def admit() -> None:
        asked.append(True)
        if len(asked) == 3:
            raise Unauthorized("revoked")

    async def read() -> None:
        async for item in while_admitted(items(), admit):
            got.append(item)  # noqa: PERF401 what came before the refusal counts

    with pytest.raises(Unauthorized):
        asyncio.run(read())
    assert (got, closed) == ([0, 1], [True])


def test_a_download_is_cut_off_and_does_not_look_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def parts() -> AsyncGenerator[bytes | str, None]:
        yield b"a part"

    async def admit() -> None:
        raise Unauthorized("revoked")

    async def read() -> list[bytes | str]:
        return [part async for part in _admitted(parts(), admit)]

    monkeypatch.setattr(admission, "_ASK_SECONDS", 0)
    with pytest.raises(ResponseAborted):
        asyncio.run(read())
