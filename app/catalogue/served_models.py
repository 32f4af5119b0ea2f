"""Which models are served: the cards of a folder, less those that an administrator has unloaded.

All replicas of the API and all workers agree on it through Redis: a set of the unloaded names, and a number that grows
with every change, which each of them looks at (`app.jobs.keys` has their names).
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.http.errors import NotFound, NotReady, shorten
from app.jobs.keys import MODEL_CHANGES_KEY, UNLOADED_KEY
from models.card.card import ModelCard
from models.card.folder import PLOT_FILE, CardError, checkpoint_names, read_card


class ServedModels:
    """The cards of the models that are served."""

    def __init__(self, cards: dict[str, ModelCard], folder: Path, redis: AsyncRedis) -> None:
        """`cards` are those of `folder` at first."""
        self._cards, self._folder, self._redis = cards, folder, redis
        self._unloaded: set[str] = set()
        self._changes = 0

    async def cards(self) -> dict[str, ModelCard]:
        """The cards of the models that are served now, by name; if Redis does not answer, those that were served last."""
        with suppress(RedisError):
            changes = int(await self._redis.get(MODEL_CHANGES_KEY) or 0)
            if changes != self._changes:
                # The type stubs allow for a client that is not asynchronous.
                names: Any = await self._redis.smembers(UNLOADED_KEY)
                self._unloaded = {name.decode() for name in names}
                self._cards = await run_in_threadpool(self._read_again)
                self._changes = changes
        return {name: card for name, card in self._cards.items() if name not in self._unloaded}

    async def plot(self, name: str) -> bytes | None:
        """The picture of a model that is served, PNG; None if none has been made."""
        with suppress(FileNotFoundError):
            return await run_in_threadpool((self._folder / name / PLOT_FILE).read_bytes)
        return None

    async def load(self, name: str) -> ModelCard:
        """Serve a model of the folder, new, changed or unloaded before.

        Raises:
            NotFound: if there is none of that name.
            NotReady: if its card cannot be read.
        """
        try:
            names = await run_in_threadpool(checkpoint_names, self._folder)
        except CardError as error:
            raise NotReady(str(error)) from error
        if name not in names:
            raise NotFound(
                f"there is no checkpoint {shorten(name)!r} in the folder of models; there are {', '.join(names)}"
            )
        try:
            card = await run_in_threadpool(read_card, self._folder / name)
        except CardError as error:
            raise NotReady(str(error)) from error
        await self._change("srem", name)
        return card

    async def unload(self, name: str) -> None:
        """Serve a model no longer; jobs that compute go on, those that wait will fail.

        Raises:
            NotFound: if it is not served.
        """
        if name not in await self.cards():
            raise NotFound(f"there is no model {shorten(name)!r} that could be unloaded")
        await self._change("sadd", name)

    async def _change(self, command: str, name: str) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            getattr(pipeline, command)(UNLOADED_KEY, name)
            pipeline.incr(MODEL_CHANGES_KEY)
            await pipeline.execute()

    def _read_again(self) -> dict[str, ModelCard]:
        """The cards as they are now; one that cannot be read stays as it was, for the workers have the model still."""
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
