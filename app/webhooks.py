"""Webhooks: when a job has ended, the address that its request named is told so, signed, and again until it has heard.

Messages are those of Standard Webhooks (standardwebhooks.com, version 1): `webhook-id`, `webhook-timestamp` and
`webhook-signature` = "v1," + base64(HMAC-SHA256(secret, "id.timestamp.body")). The body is the job without its graphs.

    digress:webhooks      ids of jobs that are to be told of, by when; whoever tells takes one for `_LEASE_SECONDS`

Nobody shall reach through this what only the service can reach: names are resolved here, all addresses must be public,
and the connection goes to the address that was looked at. Redirections are not followed.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from app.errors import NotFound
from app.queue import JobQueue
from app.schemas import WEBHOOKS_KEY, record_key

# Seconds from one try to the next; after the last the message is given up.
_WAITS = (5, 30, 120, 600, 3_600)
_LEASE_SECONDS = 30
_TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.5
# Key: webhooks. Arguments: now, until when it is taken. Answers the id of a job that is due.
_TAKE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if due[1] then redis.call('ZADD', KEYS[1], ARGV[2], due[1]) end
return due[1]
"""
_log = structlog.get_logger(__name__)


class PrivateAddress(ValueError):
    """An address that only this machine or its network can reach."""


class WebhookSender:
    """Tells of ended jobs; every replica of the API runs one, and each message is one's."""

    def __init__(
        self, queue: JobQueue, redis: AsyncRedis, *, secret: str, allow_private: bool, waits: Sequence[float] = _WAITS
    ) -> None:
        """`allow_private` lets messages go to private addresses too, for a service inside a network of one's own."""
        self._queue, self._redis, self._secret = queue, redis, secret.encode()
        self._allow_private, self._waits = allow_private, waits
        self._take = redis.register_script(_TAKE)

    async def run(self) -> None:
        """Until canceled."""
        async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            while True:
                try:
                    now = time.time()
                    found: Any = await self._take([WEBHOOKS_KEY], [now, now + _LEASE_SECONDS])
                    if found:
                        await self._tell(client, found.decode())
                        continue
                except RedisError as error:
                    _log.warning("webhooks wait for redis", error=str(error))
                except Exception:  # whatever is wrong with one message, the others are to be sent
                    _log.exception("a webhook could not be handled")
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _tell(self, client: httpx2.AsyncClient, job_id: str) -> None:
        try:
            job = (await self._queue.find(job_id, with_graphs=False)).job
        except NotFound:
            await self._redis.zrem(WEBHOOKS_KEY, job_id)
            return
        data = job.model_dump(mode="json", exclude={"graphs"})
        body = json.dumps({"type": f"job.{job.status}", "timestamp": data["finished_at"], "data": data}).encode()
        try:
            answer = await self._post(client, str(job.request.webhook), job_id, body)
            answer.raise_for_status()
        except (httpx2.HTTPError, OSError, PrivateAddress) as error:
            await self._try_again(job_id, error)
            return
        await self._redis.zrem(WEBHOOKS_KEY, job_id)
        _log.info("webhook sent", job_id=job_id, status=answer.status_code)

    async def _try_again(self, job_id: str, error: Exception) -> None:
        # The type stubs allow for a client that is not asynchronous.
        tried: Any = await self._redis.hincrby(record_key(job_id), "webhook_tries", 1)
        is_over = tried > len(self._waits)
        _log.warning(
            "webhook failed", job_id=job_id, tries=tried, given_up=is_over, error=f"{type(error).__name__}: {error}"
        )
        if is_over:
            await self._redis.zrem(WEBHOOKS_KEY, job_id)
        else:
            await self._redis.zadd(WEBHOOKS_KEY, {job_id: time.time() + self._waits[tried - 1]})

    async def _post(self, client: httpx2.AsyncClient, url: str, job_id: str, body: bytes) -> httpx2.Response:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        address = await _resolve(host, port, allow_private=self._allow_private)
        literal = f"[{address}]" if ":" in address else address
        timestamp = str(int(time.time()))
        signed = hmac.new(self._secret, f"{job_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        return await client.post(
            parts._replace(netloc=f"{literal}:{port}").geturl(),
            content=body,
            headers={
                "Host": parts.netloc.rpartition("@")[2],
                "Content-Type": "application/json",
                "webhook-id": job_id,
                "webhook-timestamp": timestamp,
                "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
            },
            extensions={"sni_hostname": host},
            follow_redirects=False,
        )


async def _resolve(host: str, port: int, *, allow_private: bool) -> str:
    """An address of a host.

    Raises:
        PrivateAddress: if any of its addresses is not public, unless that is allowed.
        OSError: if it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        known = ipaddress.ip_address(address.partition("%")[0])
        if not allow_private and (not known.is_global or known.is_multicast):
            raise PrivateAddress(f"{host} is at {address}, which is not a public address")
    return addresses[0]


async def stop(task: "asyncio.Task[None]") -> None:
    """Cancel a sender's task and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
