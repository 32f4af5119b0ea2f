"""Threads for work that occupies a core, such as pictures and SD files: few, of their own, and taken by owners in turns.

Submissions use other threads, so they never wait for these. Of those who wait, owners take turns; one owner's requests are
served in the order in which they came. Work that has not begun is dropped if its task is canceled.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


class FairThreads:
    """So many threads, shared by all owners."""

    def __init__(self, number: int) -> None:
        self._free, self._threads = number, CapacityLimiter(number)
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(
        self, owner: str, function: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs
    ) -> _Result:
        """The function's result, once it is the owner's turn."""
        await self._turn(owner)
        try:
            return await to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._threads)
        finally:
            self._pass_on()

    async def _turn(self, owner: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give a thread to the next owner, whose next turn comes after all the others'."""
        while self._waiting:
            owner, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[owner] = turns
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._free += 1
