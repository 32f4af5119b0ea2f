"""Webhooks: when a job has ended, the URL that its request named is notified by a signed POST, retried for about an hour.

Messages are those of Standard Webhooks (standardwebhooks.com, version 1): `webhook-id`, `webhook-timestamp` and
`webhook-signature` = "v1," + base64(HMAC-SHA256(secret, "id.timestamp.body")). The body is the job without its graphs.

Redis has a sorted set of the jobs that are due, by when (`WEBHOOKS_KEY`). A sender takes one for `_LEASE_SECONDS`; if it
dies, another takes the job then.

Nobody must reach through this what only the service can reach (server-side request forgery). So names are resolved here,
all addresses must be public, and the connection goes to the address that was checked. Redirections are not followed.
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
from app.jobs import lua
from app.jobs.keys import WEBHOOKS_KEY, record_key
from app.jobs.reading import JobReader

# Seconds from one try to the next; after the last the message is given up.
_RETRY_DELAYS = (5, 30, 120, 600, 3_600)
_LEASE_SECONDS = 30
_TIMEOUT_SECONDS = 10.0
_CANCEL_AGAIN_SECONDS = 0.5
_POLL_SECONDS = 0.5
# Messages that are sent at the same time: a slow receiver must not hold up the others.
_NUM_SENDERS = 8
_log = structlog.get_logger(__name__)

# IPv6 addresses that hold an IPv4 address: mapped, translated (RFC 6052, 8215) or tunnelled (RFC 3056).
_EMBEDDING_NETWORKS = [
    ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
]


class PrivateAddress(ValueError):
    """An address that only this machine or its network can reach."""


class WebhookSender:
    """Sends the webhooks of ended jobs. Every replica of the API runs one, and each message is sent by one of them."""

    def __init__(
        self,
        jobs: JobReader,
        redis: AsyncRedis,
        *,
        secret: str,
        allow_private: bool,
        retry_delays: Sequence[float] = _RETRY_DELAYS,
    ) -> None:
        """`allow_private` lets messages go to private addresses too, for a service inside a network of its own."""
        self._jobs, self._redis, self._secret = jobs, redis, secret.encode()
        self._allow_private, self._retry_delays = allow_private, retry_delays
        self._take, self._count_try = lua.load(redis, "take_webhook"), lua.load(redis, "count_webhook_try")

    async def run(self) -> None:
        """Send webhooks until canceled."""
        # Not a group of tasks, which passes on the first cancellation alone (`stop`).
        await asyncio.gather(*(self._send_all() for _ in range(_NUM_SENDERS)))

    async def _send_all(self) -> None:
        while True:
            try:
                now = time.time()
                times = {"now": now, "taken_until": now + _LEASE_SECONDS}
                due: Any = await self._take(keys={"webhooks": WEBHOOKS_KEY}, args=times)
                if due:
                    await self._send(due.decode())
                    continue
            except RedisError as error:
                _log.warning("webhooks wait for redis", error=str(error))
            except Exception:  # whatever is wrong with one message, the others must be sent
                _log.exception("a webhook could not be handled")
            await asyncio.sleep(_POLL_SECONDS)

    async def _send(self, job_id: str) -> None:
        try:
            job = (await self._jobs.find(job_id, with_graphs=False)).job
        except NotFound:
            await self._redis.zrem(WEBHOOKS_KEY, job_id)
            return
        data = job.model_dump(mode="json", exclude={"graphs"})
        body = json.dumps({"type": f"job.{job.status}", "timestamp": data["finished_at"], "data": data}).encode()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                status = await self._post(str(job.request.webhook), job_id, body)
        except PrivateAddress as error:
            await self._retry_later(job_id, str(error))
            return
        except Exception as error:  # the URL is a caller's, and anything may be wrong with it
            # Not the error's text: it may hold the URL, and that may be a secret.
            await self._retry_later(job_id, type(error).__name__)
            return
        if not 200 <= status < 300:
            await self._retry_later(job_id, f"answered {status}")
            return
        await self._redis.zrem(WEBHOOKS_KEY, job_id)
        _log.info("webhook sent", job_id=job_id, status=status)

    async def _retry_later(self, job_id: str, reason: str) -> None:
        tries: Any = await self._count_try(keys={"record": record_key(job_id)})
        is_given_up = tries is None or tries > len(self._retry_delays)
        _log.warning("webhook failed", job_id=job_id, tries=tries, given_up=is_given_up, reason=reason)
        if is_given_up:
            await self._redis.zrem(WEBHOOKS_KEY, job_id)
        else:
            await self._redis.zadd(WEBHOOKS_KEY, {job_id: time.time() + self._retry_delays[tries - 1]})

    async def _post(self, url: str, job_id: str, body: bytes) -> int:
        """The status of the answer; its body is not read."""
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
        # A client for each message: connections and cookies belong to a host, and a client keeps them by address.
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
    is_plain = address.version == 4 or not (
        address.is_site_local or any(address in network for network in _EMBEDDING_NETWORKS)
    )
    return is_plain and address.is_global and not address.is_multicast


async def stop(task: "asyncio.Task[None]") -> None:
    """Cancel a sender's task and wait for its end.

    A library that it just then waits in may swallow a cancellation, so the task is canceled again until it has ended.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_SECONDS)
