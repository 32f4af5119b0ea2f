"""Requests that are too large, and requests that never arrive."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.commands.supervisor import free_port
from app.http.limits import BodyLimitMiddleware, HeaderTimeoutProtocol
from tests.app.conftest import PROBLEM
from tests.servers import wait_until


def test_a_large_body_of_undeclared_length_is_refused_too(client: TestClient) -> None:
    answer = client.post(
        "/generate", content=(b"x" * 10_000 for _ in range(20)), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (413, PROBLEM)


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


HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: digress\r\nX-Slow: "


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
