"""API keys: who may ask for work, and how much of it.

A key is shown once, when it is made; Redis holds its SHA-256 alone. That is enough since its secret part is 256 random
bits, which no dictionary holds. Revoking takes effect with the next request. `app.jobs.keys` has the names in Redis.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.http.errors import InvalidRequest, TooManyRequests, Unauthorized
from app.jobs.keys import API_KEY_IDS_KEY, API_KEYS_KEY, quota_key, rate_key

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_TOKEN = re.compile(r"dg_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class NamingError(ValueError):
    """A name that cannot be given to a key, or that none has."""


class Role(StrEnum):
    """What a key allows."""

    USER = "user"
    ADMIN = "admin"


class ApiKey(BaseModel):
    """What is known of a key."""

    id: str
    name: str
    sha256: str
    role: Role = Role.USER
    rate: Annotated[int | None, Field(ge=1, description="Submissions in a minute at the most.")] = None
    quota: Annotated[int | None, Field(ge=1, description="Graphs in a day (UTC) at the most.")] = None
    created_at: datetime


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
        if await self._add(rate_key(self.name, now), 1, seconds=120) > self.rate:
            raise TooManyRequests(
                f"the key {self.name!r} allows {self.rate} submissions a minute",
                retry_after=60 - now.second,
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


class KeyBook:
    """The keys of one Redis, for those who make and revoke them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def create(
        self, name: str, *, role: Role = Role.USER, rate: int | None = None, quota: int | None = None
    ) -> tuple[ApiKey, str]:
        """A new key, and the text of it, which nobody can tell again.

        Raises:
            NamingError: if there is one of that name, or it is no name.
        """
        if not _NAME.fullmatch(name):
            raise NamingError(
                f"{name!r} is no name for a key; up to 50 letters, digits, dots, dashes and underscores are"
            )
        number = secrets.token_hex(6)
        token = f"dg_{number}_{secrets.token_urlsafe(32)}"
        key = ApiKey(
            id=number, name=name, sha256=_hash(token), role=role, rate=rate, quota=quota, created_at=datetime.now(UTC)
        )
        if not self._redis.hsetnx(API_KEYS_KEY, name, key.model_dump_json()):
            raise NamingError(f"there is a key called {name!r} already; revoke it first, or choose another name")
        self._redis.hset(API_KEY_IDS_KEY, number, name)
        return key, token

    def all(self) -> list[ApiKey]:
        """The keys that are valid."""
        found: Any = self._redis.hvals(API_KEYS_KEY)
        return sorted((ApiKey.model_validate_json(key) for key in found), key=lambda key: key.created_at)

    def revoke(self, name: str) -> None:
        """Make a key void.

        Raises:
            NamingError: if there is none of that name.
        """
        found: Any = self._redis.hget(API_KEYS_KEY, name)
        if found is None:
            raise NamingError(f"there is no key called {name!r}")
        self._redis.hdel(API_KEY_IDS_KEY, ApiKey.model_validate_json(found).id)
        self._redis.hdel(API_KEYS_KEY, name)


class Authenticator:
    """Who is let in, and how often; for the API."""

    def __init__(self, redis: AsyncRedis, *, admin_key: str | None) -> None:
        self._redis = redis
        self._admin_hash = _hash(admin_key) if admin_key else None

    async def admit(self, token: str | None) -> Caller:
        """The caller that a key belongs to.

        Raises:
            Unauthorized: if it is none, or it has been revoked.
        """
        if token is None:
            raise Unauthorized("a key is needed: send the header 'Authorization: Bearer KEY'")
        if self._admin_hash and hmac.compare_digest(_hash(token), self._admin_hash):
            # No key that is made can have this name.
            return Caller(name=":admin", is_admin=True, sees_all=True)
        key = await self._key(token)
        # Also where there is no such key, so that this takes as long.
        if not hmac.compare_digest(_hash(token), key.sha256 if key else "0" * 64) or key is None:
            raise Unauthorized("this key is not known, or has been revoked")
        is_admin = key.role is Role.ADMIN
        return Caller(key.name, is_admin, is_admin, key.rate, key.quota, self._redis)

    async def _key(self, token: str) -> ApiKey | None:
        match = _TOKEN.fullmatch(token)
        name: Any = match and await self._redis.hget(API_KEY_IDS_KEY, match[1])
        found: Any = name and await self._redis.hget(API_KEYS_KEY, name)
        return ApiKey.model_validate_json(found) if found else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
