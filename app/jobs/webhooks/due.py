"""Which webhooks are due, in Redis: taken one by one, with a share for each owner (`scripts/take_webhook.lua`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.jobs import lua
from app.jobs.keys import RECORD_PREFIX, WEBHOOK_OWNER_PREFIX, WEBHOOK_OWNERS_KEY, WEBHOOKS_KEY, record_key


@dataclass(frozen=True)
class Due:
    """A job whose webhook is due, and its owner."""

    job_id: str
    owner: str


class DueWebhooks:
    """The webhooks that are due. If a sender dies that has taken one, another takes it after `lease_seconds`."""

    def __init__(self, redis: AsyncRedis, *, lease_seconds: float, retry_delays: Sequence[float]) -> None:
        """`retry_delays` are the seconds from each failure to the next try; after the last a webhook is given up."""
        self._lease_seconds, self._retry_delays = lease_seconds, retry_delays
        self._take, self._settle = lua.load(redis, "take_webhook"), lua.load(redis, "settle_webhook")

    async def take(self, *, busy: Iterable[str]) -> Due | None:
        """One that is due, of an owner who is not `busy`; None if there is none."""
        taken: Any = await self._take(
            keys={"ended": WEBHOOKS_KEY, "owners": WEBHOOK_OWNERS_KEY},
            args={
                "record_prefix": RECORD_PREFIX,
                "owner_prefix": WEBHOOK_OWNER_PREFIX,
                "busy_owners": lua.pack_list(busy),
                "seconds_taken": self._lease_seconds,
            },
        )
        return Due(*(part.decode() for part in taken)) if taken else None

    async def end(self, due: Due) -> None:
        """It was sent, or nobody is to hear of it."""
        await self._settled(due, ())

    async def retry(self, due: Due) -> tuple[int, bool]:
        """It failed: how often by now, and whether it is given up."""
        tries = await self._settled(due, self._retry_delays)
        return tries, not 0 < tries <= len(self._retry_delays)

    async def _settled(self, due: Due, delays: Sequence[float]) -> int:
        tries: Any = await self._settle(
            keys={
                "record": record_key(due.job_id),
                "owners": WEBHOOK_OWNERS_KEY,
                "owner_jobs": f"{WEBHOOK_OWNER_PREFIX}{due.owner}",
            },
            args={"owner": due.owner, "job_id": due.job_id, "delays": lua.pack_list(delays)},
        )
        return int(tries)
