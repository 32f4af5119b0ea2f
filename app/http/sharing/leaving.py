"""Work that is dropped when the client who asked for it leaves."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import Request
from starlette.types import Receive

from app.http.errors import ClientLeft

_Result = TypeVar("_Result")


async def while_connected(request: Request, work: Awaitable[_Result]) -> _Result:
    """The result of the work; it is canceled as soon as the client disconnects. The request's body must have been read.

    Raises:
        ClientLeft: if the client disconnects first.
    """
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request.receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft
        return task.result()
    finally:
        task.cancel()
        leaving.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
