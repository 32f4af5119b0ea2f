"""Which caller an API key belongs to."""

import hmac
import re
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.access.api_keys import ApiKey, Role, hash_token
from app.access.quota import Caller
from app.http.errors import Unauthorized
from app.jobs.keys import API_KEY_IDS_KEY, API_KEYS_KEY

_TOKEN = re.compile(r"dg_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class Authenticator:
    """Who is let in, and how often; for the API."""

    def __init__(self, redis: AsyncRedis, *, admin_key: str | None) -> None:
        self._redis = redis
        self._admin_hash = hash_token(admin_key) if admin_key else None

    async def admit(self, token: str | None) -> Caller:
        """The caller that a key belongs to.

        Raises:
            Unauthorized: if it is none, or it has been revoked.
        """
        if token is None:
            raise Unauthorized("a key is needed: send the header 'Authorization: Bearer KEY'")
        if self._admin_hash and hmac.compare_digest(hash_token(token), self._admin_hash):
            # No key that is made can have this name.
            return Caller(name=":admin", is_admin=True, sees_all=True)
        key = await self._key(token)
        # Also where there is no such key, so that this takes as long.
        if not hmac.compare_digest(hash_token(token), key.sha256 if key else "0" * 64) or key is None:
            raise Unauthorized("this key is not known, or has been revoked")
        is_admin = key.role is Role.ADMIN
        return Caller(key.name, is_admin, is_admin, key.rate, key.quota, self._redis)

    async def _key(self, token: str) -> ApiKey | None:
        match = _TOKEN.fullmatch(token)
        name: Any = match and await self._redis.hget(API_KEY_IDS_KEY, match[1])
        found: Any = name and await self._redis.hget(API_KEYS_KEY, name)
        return ApiKey.model_validate_json(found) if found else None
