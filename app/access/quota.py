"""How much a caller may ask for: submissions a minute, graphs a day.

digress:rate:{name}:{minute}    submissions in this minute
digress:quota:{name}:{day}      graphs requested on this day (UTC)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis as AsyncRedis

from app.http.errors import InvalidRequest, TooManyRequests


@dataclass
class Purchase:
    """Graphs that are taken off a quota, unless it is called off."""

    is_off: bool = False


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of a key with its limits, or anybody where no keys are needed."""

    name: str = ""
    is_admin: bool = False
    sees_all: bool = False
    rate: int | None = None
    quota: int | None = None
    redis: AsyncRedis | None = None

    @property
    def owner(self) -> str | None:
        """Whose jobs the caller sees; None: everybody's."""
        return None if self.sees_all else self.name

    async def count_submission(self) -> None:
        """Count one more submission.

        Raises:
            TooManyRequests: if that is more than the key allows in a minute.
        """
        if self.rate is None:
            return
        now = datetime.now(UTC)
        if await self._add(f"digress:rate:{self.name}:{now:%Y%m%d%H%M}", 1, seconds=120) > self.rate:
            raise TooManyRequests(
                f"the key {self.name!r} allows {self.rate} submissions a minute",
                retry_after=60 - now.second,
                reason="rate",
            )

    @asynccontextmanager
    async def spending(self, num_graphs: int) -> AsyncIterator[Purchase]:
        """Take so many graphs off the quota; they are given back if what is done meanwhile fails, or is called off.

        Raises:
            InvalidRequest: if there are not as many on any day.
            TooManyRequests: if there are not as many left today.
        """
        purchase = Purchase()
        if self.quota is None:
            yield purchase
            return
        if num_graphs > self.quota:
            raise InvalidRequest(
                "num_graphs", f"the key {self.name!r} allows {self.quota} graphs a day, so never {num_graphs} at once"
            )
        now = datetime.now(UTC)
        key = f"digress:quota:{self.name}:{now:%Y%m%d}"
        spent = await self._add(key, num_graphs, seconds=2 * 86_400) - num_graphs
        purchase.is_off = True
        try:
            if spent + num_graphs > self.quota:
                tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
                raise TooManyRequests(
                    f"the key {self.name!r} allows {self.quota} graphs a day, and {spent} are spent",
                    retry_after=(tomorrow - now).total_seconds(),
                    reason="quota",
                )
            yield purchase
        finally:
            if purchase.is_off:
                await self._add(key, -num_graphs, seconds=2 * 86_400)

    async def _add(self, key: str, number: int, *, seconds: int) -> int:
        assert self.redis is not None
        async with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.incrby(key, number)
            pipeline.expire(key, seconds)
            added, _ = await pipeline.execute()
        return int(added)
