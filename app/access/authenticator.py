"""Which caller an API key belongs to."""

import hmac
import re
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.access.api_keys import ApiKey, Role, hash_token
from app.access.quota import ADMIN_NAME, Caller
from app.access.rate import RateLimiter
from app.http.errors import Unauthorized
from app.jobs.keys import API_KEY_IDS_KEY, API_KEYS_KEY

_TOKEN = re.compile(r"dg_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class Authenticator:
    """Finds the caller that an API key belongs to."""

    def __init__(self, redis: AsyncRedis, *, admin_key: str | None) -> None:
        self._redis, self._rate_limiter = redis, RateLimiter(redis)
        self._admin_hash = hash_token(admin_key) if admin_key else None

    async def authenticate(self, token: str | None) -> Caller:
        """The caller that a key belongs to.

        Raises:
            Unauthorized: if there is no key, or it is unknown or revoked.
        """
        if token is None:
            raise Unauthorized("a key is needed: send the header 'Authorization: Bearer KEY'")
        if self._admin_hash and hmac.compare_digest(hash_token(token), self._admin_hash):
            return Caller(name=ADMIN_NAME, is_admin=True, sees_all=True)
        key = await self._key(token)
        # Compared even if there is no such key, so that the response time does not tell.
        if not hmac.compare_digest(hash_token(token), key.sha256 if key else "0" * 64) or key is None:
            raise Unauthorized("this key is not known, or has been revoked")
        is_admin = key.role is Role.ADMIN
        return Caller(key.name, is_admin, is_admin, key.rate, key.quota, self._redis, self._rate_limiter)

    async def _key(self, token: str) -> ApiKey | None:
        match = _TOKEN.fullmatch(token)
        name: Any = match and await self._redis.hget(API_KEY_IDS_KEY, match[1])
        found: Any = name and await self._redis.hget(API_KEYS_KEY, name)
        return ApiKey.model_validate_json(found) if found else None
