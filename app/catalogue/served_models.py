"""Which models are served: the cards of a folder, less those that an administrator has unloaded.

All replicas of the API and all workers agree on it through Redis: a set of the unloaded names, and a number that grows
with every change, which each of them looks at (`app.jobs.keys` has their names).
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.http.errors import NotFound, NotReady, shorten
from app.jobs.keys import MODEL_CHANGES_KEY, UNLOADED_KEY
from models.card.card import ModelCard
from models.card.folder import PLOT_FILE, CardError, checkpoint_names, read_card, read_inside

_log = structlog.get_logger(__name__)


class ServedModels:
    """The cards of the models that are served."""

    def __init__(self, cards: dict[str, ModelCard], folder: Path, redis: AsyncRedis) -> None:
        """`cards` are those of `folder` at first."""
        self._cards, self._folder, self._redis = cards, folder, redis
        self._unloaded: set[str] = set()
        self._changes = 0

    async def cards(self) -> dict[str, ModelCard]:
        """The cards of the models that are served now, by name; if Redis does not answer, those served last."""
        with suppress(RedisError):
            changes = int(await self._redis.get(MODEL_CHANGES_KEY) or 0)
            if changes != self._changes:
                # The type stubs allow for a client that is not asynchronous.
                names: Any = await self._redis.smembers(UNLOADED_KEY)
                self._unloaded = {name.decode() for name in names}
                self._cards = await run_in_threadpool(self._reread_cards)
                self._changes = changes
        return {name: card for name, card in self._cards.items() if name not in self._unloaded}

    async def plot(self, name: str) -> bytes | None:
        """The picture of a served model, PNG; None if it has none.

        Raises:
            NotReady: if it is no file of the model's folder.
        """
        try:
            return await run_in_threadpool(read_inside, self._folder / name, PLOT_FILE)
        except FileNotFoundError:
            return None
        except CardError as error:
            raise _not_ready(error) from error

    async def load(self, name: str) -> ModelCard:
        """Serve a checkpoint of the folder: a new one, a changed one, or one that was unloaded.

        Raises:
            NotFound: if there is no checkpoint of that name.
            NotReady: if its card cannot be read.
        """
        try:
            names = await run_in_threadpool(checkpoint_names, self._folder)
        except CardError as error:
            raise _not_ready(error) from error
        if name not in names:
            raise NotFound(
                f"there is no checkpoint {shorten(name)!r} in the folder of models; available: {', '.join(names)}"
            )
        try:
            card = await run_in_threadpool(read_card, self._folder / name)
        except CardError as error:
            raise _not_ready(error) from error
        await self._change("srem", name)
        return card

    async def unload(self, name: str) -> None:
        """Stop serving a model; running jobs continue, waiting jobs will fail.

        Raises:
            NotFound: if it is not served.
        """
        if name not in await self.cards():
            raise NotFound(f"there is no loaded model {shorten(name)!r}")
        await self._change("sadd", name)

    async def _change(self, command: str, name: str) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            getattr(pipeline, command)(UNLOADED_KEY, name)
            pipeline.incr(MODEL_CHANGES_KEY)
            await pipeline.execute()

    def _reread_cards(self) -> dict[str, ModelCard]:
        """The present cards; one that cannot be read stays as it was, because the workers still have the model."""
        found = {}
        try:
            names = checkpoint_names(self._folder)
        except CardError:
            return self._cards
        for name in names:
            try:
                found[name] = read_card(self._folder / name)
            except CardError:
                if name in self._cards:
                    found[name] = self._cards[name]
        return found


def _not_ready(error: CardError) -> NotReady:
    """What a caller is told; the log says where the file is."""
    _log.error("model cannot be used", error=str(error))
    return NotReady(error.public)
