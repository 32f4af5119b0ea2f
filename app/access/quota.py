"""How much a caller may ask for: submissions a minute, graphs a day (UTC). `app.jobs.keys` has the names in Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis as AsyncRedis

from app.access.rate import RateLimiter
from app.http.errors import InvalidRequest, TooManyRequests
from app.jobs.keys import quota_key

# Who asks with DIGRESS_ADMIN_KEY; keys cannot have this name.
ADMIN_NAME = ":admin"


@dataclass
class QuotaReservation:
    """Graphs that are reserved from a quota: released again unless they are committed."""

    is_committed: bool = False

    def commit(self) -> None:
        """Keep the graphs: they will be drawn."""
        self.is_committed = True


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of a key with its limits, or anybody where no keys are needed."""

    name: str = ""
    is_admin: bool = False
    sees_all: bool = False
    rate: int | None = None
    quota: int | None = None
    redis: AsyncRedis | None = None
    rate_limiter: RateLimiter | None = None

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
        assert self.rate_limiter is not None
        wait = await self.rate_limiter.hit(self.name, self.rate)
        if wait is not None:
            raise TooManyRequests(
                f"the key {self.name!r} allows {self.rate} submissions a minute",
                retry_after=max(wait, 1),
                reason="rate",
            )

    @asynccontextmanager
    async def reserve(self, num_graphs: int) -> AsyncIterator[QuotaReservation]:
        """Reserve graphs from today's quota; unless the reservation is committed, the end of the block releases them.

        Raises:
            InvalidRequest: if the quota of a whole day is smaller.
            TooManyRequests: if less than that is left today.
        """
        reservation = QuotaReservation()
        if self.quota is None:
            yield reservation
            return
        if num_graphs > self.quota:
            raise InvalidRequest(
                "num_graphs", f"the key {self.name!r} allows {self.quota} graphs a day, so never {num_graphs} at once"
            )
        now = datetime.now(UTC)
        key = quota_key(self.name, now)
        spent = await self._add(key, num_graphs, seconds=2 * 86_400) - num_graphs
        try:
            if spent + num_graphs > self.quota:
                raise _quota_exceeded(self.name, self.quota, spent, now)
            yield reservation
        finally:
            if not reservation.is_committed:
                await self._add(key, -num_graphs, seconds=2 * 86_400)

    async def _add(self, key: str, number: int, *, seconds: int) -> int:
        assert self.redis is not None
        async with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.incrby(key, number)
            pipeline.expire(key, seconds)
            added, _ = await pipeline.execute()
        return int(added)


def _quota_exceeded(name: str, quota: int, spent: int, now: datetime) -> TooManyRequests:
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return TooManyRequests(
        f"the key {name!r} allows {quota} graphs a day, and {spent} are spent",
        retry_after=(tomorrow - now).total_seconds(),
        reason="quota",
    )
