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
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from app.http.errors import NotFound
from app.jobs.keys import WEBHOOKS_KEY, record_key
from app.jobs.queue import JobQueue

# Seconds from one try to the next; after the last the message is given up.
_WAITS = (5, 30, 120, 600, 3_600)
_LEASE_SECONDS = 30
_TIMEOUT_SECONDS = 10.0
_CANCEL_AGAIN_SECONDS = 0.5
_PAUSE_SECONDS = 0.5
# Key: webhooks. Arguments: now, until when it is taken. Answers the id of a job that is due.
_TAKE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if due[1] then redis.call('ZADD', KEYS[1], ARGV[2], due[1]) end
return due[1]
"""
# Key: record. Answers how often it was tried; nothing if the record has expired, which is not brought back.
_COUNT = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('HINCRBY', KEYS[1], 'webhook_tries', 1) end"
# Messages that are sent at the same time: a slow receiver shall not hold up the others.
_SENDERS = 8
_log = structlog.get_logger(__name__)


_HOLDING_OTHERS = [
    ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
]


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
        self._take, self._count = redis.register_script(_TAKE), redis.register_script(_COUNT)

    async def run(self) -> None:
        """Until canceled."""
        # Not a group of tasks, which passes on the first cancellation alone (`stop`).
        await asyncio.gather(*(self._send() for _ in range(_SENDERS)))

    async def _send(self) -> None:
        while True:
            try:
                now = time.time()
                found: Any = await self._take([WEBHOOKS_KEY], [now, now + _LEASE_SECONDS])
                if found:
                    await self._tell(found.decode())
                    continue
            except RedisError as error:
                _log.warning("webhooks wait for redis", error=str(error))
            except Exception:  # whatever is wrong with one message, the others are to be sent
                _log.exception("a webhook could not be handled")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _tell(self, job_id: str) -> None:
        try:
            job = (await self._queue.find(job_id, with_graphs=False)).job
        except NotFound:
            await self._redis.zrem(WEBHOOKS_KEY, job_id)
            return
        data = job.model_dump(mode="json", exclude={"graphs"})
        body = json.dumps({"type": f"job.{job.status}", "timestamp": data["finished_at"], "data": data}).encode()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                status = await self._post(str(job.request.webhook), job_id, body)
        except PrivateAddress as error:
            await self._try_again(job_id, str(error))
            return
        except Exception as error:  # the address is a stranger's, and so is whatever is wrong with it
            # Not its words: they may hold the address, and that may be a secret.
            await self._try_again(job_id, type(error).__name__)
            return
        if not 200 <= status < 300:
            await self._try_again(job_id, f"answered {status}")
            return
        await self._redis.zrem(WEBHOOKS_KEY, job_id)
        _log.info("webhook sent", job_id=job_id, status=status)

    async def _try_again(self, job_id: str, reason: str) -> None:
        tried: Any = await self._count([record_key(job_id)])
        is_over = tried is None or tried > len(self._waits)
        _log.warning("webhook failed", job_id=job_id, tries=tried, given_up=is_over, reason=reason)
        if is_over:
            await self._redis.zrem(WEBHOOKS_KEY, job_id)
        else:
            await self._redis.zadd(WEBHOOKS_KEY, {job_id: time.time() + self._waits[tried - 1]})

    async def _post(self, url: str, job_id: str, body: bytes) -> int:
        """The status of the answer; what else it says is not read."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        address = await _resolve(host, port, allow_private=self._allow_private)
        literal = f"[{address}]" if ":" in address else address
        timestamp = str(int(time.time()))
        signed = hmac.new(self._secret, f"{job_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "Content-Type": "application/json",
            "webhook-id": job_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        target = parts._replace(netloc=f"{literal}:{port}").geturl()
        # A client of its own: connections and cookies belong to a host, and are kept by address.
        async with (
            httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream(
                "POST", target, content=body, headers=headers, extensions={"sni_hostname": host}, follow_redirects=False
            ) as answer,
        ):
            return int(answer.status_code)


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
        if not allow_private and not _is_public(known):
            raise PrivateAddress(f"{host} is at {address}, which is not a public address")
    return addresses[0]


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # Some hold another address, of version 4, in them: mapped, translated (RFC 6052, 8215) or tunnelled (RFC 3056).
    is_sound = address.version == 4 or not (
        address.is_site_local or any(address in network for network in _HOLDING_OTHERS)
    )
    return is_sound and address.is_global and not address.is_multicast


async def stop(task: "asyncio.Task[None]") -> None:
    """Cancel a sender's task and wait for its end.

    Of what it may be at in that moment something can swallow a cancellation, and then it would go on for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_SECONDS)
