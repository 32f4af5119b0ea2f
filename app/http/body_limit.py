"""Refuses bodies that are too large or too slow, with a problem document; the framework's own limit answers in plain text."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.errors import BodyTooLarge, BodyTooSlow, respond

MAX_SECONDS = 30.0


class BodyLimit:
    """Middleware that reads the body, up to the limit, before anything else sees the request."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_seconds: float = MAX_SECONDS) -> None:
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
            await respond(slow)(scope, receive, send)
            return
        if too_large:
            error = BodyTooLarge(f"the body must not exceed {self.max_bytes} bytes")
            await respond(error)(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, replay, send)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "content-length" in headers or "transfer-encoding" in headers
