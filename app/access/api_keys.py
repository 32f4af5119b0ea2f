"""API keys: made, listed and revoked.

A key is shown once, when it is made; Redis holds only its SHA-256. A plain hash is enough because the secret part is
256 random bits, which no dictionary holds. A revoked key stops working with the next request. `app.jobs.keys` has the names
in Redis.
"""

import hashlib
import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field
from redis import Redis

from app.jobs.keys import API_KEY_IDS_KEY, API_KEYS_KEY

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")


class KeyNameError(ValueError):
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


class ApiKeyStore:
    """The keys of one Redis, for those who make and revoke them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def create(
        self, name: str, *, role: Role = Role.USER, rate: int | None = None, quota: int | None = None
    ) -> tuple[ApiKey, str]:
        """A new key, and the text of it, which nobody can tell again.

        Raises:
            KeyNameError: if there is one of that name, or it is no name.
        """
        if not _NAME.fullmatch(name):
            raise KeyNameError(
                f"{name!r} is no name for a key; up to 50 letters, digits, dots, dashes and underscores are"
            )
        number = secrets.token_hex(6)
        token = f"dg_{number}_{secrets.token_urlsafe(32)}"
        key = ApiKey(
            id=number,
            name=name,
            sha256=hash_token(token),
            role=role,
            rate=rate,
            quota=quota,
            created_at=datetime.now(UTC),
        )
        if not self._redis.hsetnx(API_KEYS_KEY, name, key.model_dump_json()):
            raise KeyNameError(f"there is a key called {name!r} already; revoke it first, or choose another name")
        self._redis.hset(API_KEY_IDS_KEY, number, name)
        return key, token

    def all(self) -> list[ApiKey]:
        """The keys that are valid."""
        found: Any = self._redis.hvals(API_KEYS_KEY)
        return sorted((ApiKey.model_validate_json(key) for key in found), key=lambda key: key.created_at)

    def revoke(self, name: str) -> None:
        """Make a key void.

        Raises:
            KeyNameError: if there is none of that name.
        """
        found: Any = self._redis.hget(API_KEYS_KEY, name)
        if found is None:
            raise KeyNameError(f"there is no key called {name!r}")
        self._redis.hdel(API_KEY_IDS_KEY, ApiKey.model_validate_json(found).id)
        self._redis.hdel(API_KEYS_KEY, name)


def hash_token(token: str) -> str:
    """What Redis holds of a key's text."""
    return hashlib.sha256(token.encode()).hexdigest()
