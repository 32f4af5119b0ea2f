"""Connections that say nothing, or whose client does not read: they keep nobody out, and fill no log."""

import logging
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import structlog
import uvicorn
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.commands.supervisor import free_port
from app.http.sharing.connections import Guard, GuardedProtocol, OneLineASecond, guarded_by, raise_file_limit
from tests.servers import wait_until

REQUEST = b"GET / HTTP/1.1\r\nHost: digress\r\n\r\n"
PIECE = b"x" * 65_536


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield PIECE

    if scope["path"] == "/endless":
        await StreamingResponse(endless())(scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


@contextmanager
def served(protocol: type[GuardedProtocol]) -> Iterator[int]:
    port = free_port()
    config = uvicorn.Config(app, port=port, http=protocol, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, seconds=20)
        yield port
    finally:
        server.should_exit = True
        thread.join(20)


def test_silent_connections_keep_nobody_else_out() -> None:
    counted: Counter[str] = Counter()
    guard = Guard(25, 20, lambda reason: counted.update([reason]))
    with structlog.testing.capture_logs() as log, served(guarded_by(guard)) as port, ExitStack() as stack:

        def connect(source: str) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
            return stack.enter_context(connection)

        for _ in range(20):
            connect("127.0.0.1")
        refused = [connect("127.0.0.1").recv(1_000) for _ in range(50)]
        other = connect("127.0.0.2")
        other.sendall(REQUEST)
        served_other = other.recv(1_000)
        for _ in range(4):
            connect("127.0.0.2")
        full = connect("127.0.0.3").recv(1_000)

    assert {answer.split(b"\r\n")[0] for answer in refused} == {b"HTTP/1.1 429 Too Many Requests"}
    assert b"20 connections of your address are open" in refused[0]
    assert served_other.startswith(b"HTTP/1.1 204")
    assert full.startswith(b"HTTP/1.1 503")
    assert counted == {"client_connections": 50, "connections": 1}
    assert len(log) <= 3  # one a second
    wait_until(lambda: not guard._open, seconds=10)


def test_a_client_that_reads_nothing_is_cut_off() -> None:
    counted: Counter[str] = Counter()
    guard = Guard(10, 10, lambda reason: counted.update([reason]))
    protocol = guarded_by(guard)
    protocol.max_unread_seconds = 0.5
    with served(protocol) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(REQUEST.replace(b"/ ", b"/endless "))

        wait_until(lambda: counted["slow_reader"] == 1, seconds=20)
        wait_until(lambda: not guard._open, seconds=10)

        received = connection.makefile("rb").read()

    assert not received.endswith(b"0\r\n\r\n")  # the end of an answer that is complete


def test_the_limit_of_open_files_is_raised_to_what_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))

        room = raise_file_limit()

        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
        assert room == hard - 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_the_system_cannot_open_is_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tests.accept")
    logger.addFilter(OneLineASecond())

    began = time.monotonic()
    for _ in range(1_000):
        logger.error("socket.accept() out of system resource")
        logger.error("something else")
    seconds = time.monotonic() - began

    lines = Counter(record.message for record in caplog.records)
    assert lines["something else"] == 1_000
    assert lines["socket.accept() out of system resource"] <= 1 + seconds
