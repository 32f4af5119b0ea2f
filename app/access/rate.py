"""Submissions a minute: a sliding window, counted in Redis by the library `limits`, on Redis' clock.

    count = submissions of this minute + those of the last minute · the share of it that is less than a minute ago

So a caller never has twice the rate around the turn of a minute.
"""

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis as AsyncRedis

from app.jobs.keys import RATE_PREFIX

_WINDOW_SECONDS = 60


class RateLimiter:
    """Counts the submissions of all keys."""

    def __init__(self, redis: AsyncRedis) -> None:
        pool = redis.connection_pool
        # The pool says where Redis is; the address names the kind of server only.
        self._storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=RATE_PREFIX,
            connection_pool=pool,  # type: ignore[arg-type]
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    async def hit(self, name: str, rate: int) -> float | None:
        """Count a submission of a key that allows `rate` a minute; or the seconds to wait, if it allows none now."""
        limit = RateLimitItemPerMinute(rate)
        if await self._limiter.hit(limit, name):
            return None
        window = await self._storage.get_sliding_window(limit.key_for(name), _WINDOW_SECONDS)
        return _seconds_until_free(*window, rate=rate)


def _seconds_until_free(
    previous: int, previous_seconds: float, current: int, current_seconds: float, *, rate: int
) -> float:
    """When the count falls below the rate: so many submissions of the last minute count for so many seconds more."""
    if current < rate:
        return previous_seconds - _WINDOW_SECONDS * (rate - current) / max(previous, 1)
    return current_seconds - _WINDOW_SECONDS + _WINDOW_SECONDS / current
