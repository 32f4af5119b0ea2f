"""The secrets that sign webhooks: one for each key, so that who has one cannot pass a message off on another.

None is stored. Each is computed from the service's own secret and the key's id, so a new key of the same name has a new one:

    secret = "whsec_" + base64(HMAC-SHA256(DIGRESS_WEBHOOK_SECRET, "digress webhooks " + id))

Without keys there is one caller, and the service's own secret signs.
"""

import base64
import hashlib
import hmac
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from app.access.api_keys import ApiKey
from app.access.quota import ADMIN_NAME
from app.jobs.keys import API_KEYS_KEY

_PREFIX = "whsec_"


class WebhookSecrets:
    """The secret of each owner."""

    def __init__(self, own_secret: str, redis: AsyncRedis | None) -> None:
        """`redis` has the keys; without it, nobody has one."""
        self._own_secret, self._redis = own_secret, redis

    async def of(self, owner: str) -> str | None:
        """What signs messages to an owner; None if its key is revoked."""
        if self._redis is None:
            return self._own_secret
        if owner == ADMIN_NAME:
            return self._derived(ADMIN_NAME)
        # The type stubs allow for a client that is not asynchronous.
        found: Any = await self._redis.hget(API_KEYS_KEY, owner)
        return self._derived(ApiKey.model_validate_json(found).id) if found else None

    def _derived(self, key_id: str) -> str:
        own = base64.b64decode(self._own_secret.removeprefix(_PREFIX))
        derived = hmac.new(own, f"digress webhooks {key_id}".encode(), hashlib.sha256).digest()
        return f"{_PREFIX}{base64.b64encode(derived).decode()}"
