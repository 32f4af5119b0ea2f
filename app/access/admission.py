"""Admission again: a key that is revoked while an answer is being sent ends that answer."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeAlias, TypeVar

# Raises Unauthorized if the caller's key does not admit it any more.
Admit: TypeAlias = Callable[[], Awaitable[object]]

_ASK_SECONDS = 2.0
_Item = TypeVar("_Item")


async def while_admitted(items: AsyncGenerator[_Item, None], admit: Admit) -> AsyncIterator[_Item]:
    """The items of a stream; every few seconds the caller must be admitted again before it gets the next one.

    Raises:
        Unauthorized: if it is not.
    """
    ask_at = time.monotonic() + _ASK_SECONDS
    async with aclosing(items):
        async for item in items:
            if time.monotonic() >= ask_at:
                await admit()
                ask_at = time.monotonic() + _ASK_SECONDS
            yield item
