"""What routes are given: the queue and the cards, as `create_app` received them."""

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


QueueDep = Annotated[JobQueue, Depends(_queue)]
CardsDep = Annotated[dict[str, ModelCard], Depends(_cards)]
