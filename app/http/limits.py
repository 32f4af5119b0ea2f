"""How large a request may be, and how long it may take to arrive: `HeaderTimeoutProtocol` for its head, `BodyLimitMiddleware` for its body."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.http.error_handlers import error_response
from app.http.errors import BodyTooLarge, BodyTooSlow

MAX_BODY_SECONDS = 30.0


class BodyLimitMiddleware:
    """Reads the whole body, up to the limits, before the application sees the request.

    The framework's own limit would answer in plain text.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_seconds: float = MAX_BODY_SECONDS) -> None:
        self.app, self.max_bytes, self.max_seconds = app, max_bytes, max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self.app(scope, receive, send)
            return

        declared = Headers(scope=scope).get("content-length", "")
        too_large = declared.isdecimal() and int(declared) > self.max_bytes
        messages: list[Message] = []
        size = 0
        try:
            async with asyncio.timeout(self.max_seconds):
                while not too_large:
                    message = await receive()
                    messages.append(message)
                    size += len(message.get("body", b""))
                    too_large = size > self.max_bytes
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            slow = BodyTooSlow(f"the body did not arrive within {self.max_seconds:g} seconds")
            await error_response(slow)(scope, receive, send)
            return
        if too_large:
            error = BodyTooLarge(f"the body must not exceed {self.max_bytes} bytes")
            await error_response(error)(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "content-length" in headers or "transfer-encoding" in headers


class HeaderTimeoutProtocol(H11Protocol):
    """Closes connections that do not send the complete head of a request in time.

    uvicorn alone waits for ever, and each open connection takes memory and a file descriptor.
    """

    max_seconds = 30.0
    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timeout()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._start_timeout()
        else:
            self._cancel_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timeout()
        super().connection_lost(exc)

    def _start_timeout(self) -> None:
        # A client that sends byte by byte does not extend it.
        self._timeout = self._timeout or self.loop.call_later(self.max_seconds, self.transport.close)

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
