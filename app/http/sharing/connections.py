"""Which connections are open: so many in all, a share of them for each client, and none whose client reads nothing.

A process that runs out of file descriptors answers nobody, so it uses all that the system allows and leaves some of them free.
Refusals are logged once a second, however many there are.
"""

import asyncio
import ipaddress
import json
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import ClassVar

import structlog

from app.http.errors import PROBLEM_MEDIA_TYPE
from app.http.limits import HeaderTimeoutProtocol
from app.schemas import Problem

# For Redis, files, and connections that are being refused.
_RESERVED_FILES = 256
_MOST_FILES = 1_048_576
_RETRY_SECONDS = 5
_LOG_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class Guard:
    """Counts the open connections of one process, by client."""

    def __init__(self, limit: int, client_limit: int, count_refusal: Callable[[str], None]) -> None:
        """`count_refusal` is called with the reason of each: `connections`, `client_connections` or `slow_reader`."""
        self._limit, self._client_limit = limit, client_limit
        self._count_refusal = count_refusal
        self._open: Counter[str] = Counter()
        self._num_unlogged, self._next_log = 0, 0.0

    def admit(self, client: str) -> bytes | None:
        """Count a connection; or the answer that refuses it."""
        if self._open.total() >= self._limit:
            self.report("connections", client)
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{self._limit} connections are open, and no more may be")
        if self._open[client] >= self._client_limit:
            self.report("client_connections", client)
            detail = f"{self._client_limit} connections of your address are open, and no more may be"
            return _refusal(HTTPStatus.TOO_MANY_REQUESTS, detail)
        self._open[client] += 1
        return None

    def release(self, client: str) -> None:
        """Count a connection no more."""
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]

    def report(self, reason: str, client: str) -> None:
        """Count a connection that was refused or ended, and log it with those before."""
        self._count_refusal(reason)
        self._num_unlogged += 1
        now = time.monotonic()
        if now >= self._next_log:
            _log.warning("connections are refused", reason=reason, client=client, number=self._num_unlogged)
            self._num_unlogged, self._next_log = 0, now + _LOG_SECONDS


class GuardedProtocol(HeaderTimeoutProtocol):
    """A connection that counts at a guard, and ends if its client reads nothing for too long."""

    guard: ClassVar[Guard]
    max_unread_seconds = 60.0
    _client_key: str | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        client = client_key(transport)
        refusal = self.guard.admit(client)
        if refusal is not None:
            transport.write(refusal)
            transport.close()
            return
        self._client_key = client
        self._limit_unsent(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._client_key is None:  # it was refused
            return
        self.guard.release(self._client_key)
        self._stop_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stop_unread()
        self._unread = self.loop.call_later(self.max_unread_seconds, self._give_up)

    def resume_writing(self) -> None:
        self._stop_unread()
        super().resume_writing()

    def _limit_unsent(self, transport: asyncio.Transport) -> None:
        """Let the system end the connection, too, if its client takes nothing of what is left to send."""
        connection = transport.get_extra_info("socket")
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if option is not None and connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, option, int(1000 * self.max_unread_seconds))

    def _give_up(self) -> None:
        self.guard.report("slow_reader", self._client_key or "")
        self.transport.abort()

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def guarded_by(guard: Guard) -> type[GuardedProtocol]:
    """The protocol of connections that count at a guard; uvicorn makes them."""
    return type("BoundProtocol", (GuardedProtocol,), {"guard": guard})


def client_key(transport: asyncio.BaseTransport) -> str:
    """What counts as one client: an address, or in IPv6 the network that one client has."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return "local"
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def raise_file_limit() -> int:
    """Let this process open as many files as the system allows; returns how many connections that leaves room for."""
    import resource  # not on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return max(wanted - _RESERVED_FILES, 1)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError) as error:
        _log.warning("the limit of open files cannot be raised", soft=soft, hard=hard, error=str(error))
        wanted = soft
    return max(wanted - _RESERVED_FILES, 1)


class OneLineASecond(logging.Filter):
    """Of the lines of asyncio about connections that the system cannot open, lets one a second pass."""

    _next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if "out of system resource" not in record.getMessage():
            return True
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _LOG_SECONDS
        return True


def _refusal(status: HTTPStatus, detail: str) -> bytes:
    problem = Problem(title=status.phrase, status=status, detail=detail).model_dump(mode="json")
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {PROBLEM_MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        f"Retry-After: {_RETRY_SECONDS}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
