"""What routes are given: the queue and the cards, as `create_app` received them, and whether it is worth waiting."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from app.queue import JobQueue
from models.card import ModelCard


def _queue(request: Request) -> JobQueue:
    queue: JobQueue = request.app.state.queue
    return queue


def _cards(request: Request) -> dict[str, ModelCard]:
    cards: dict[str, ModelCard] = request.app.state.cards
    return cards


def _pointless(request: Request) -> Callable[[], Awaitable[bool]]:
    async def pointless() -> bool:
        return request.app.state.is_stopping() or await request.is_disconnected()

    return pointless


QueueDep = Annotated[JobQueue, Depends(_queue)]
CardsDep = Annotated[dict[str, ModelCard], Depends(_cards)]
# Whether to stop waiting for a job: the client is gone, or the server is about to be.
PointlessDep = Annotated[Callable[[], Awaitable[bool]], Depends(_pointless)]
