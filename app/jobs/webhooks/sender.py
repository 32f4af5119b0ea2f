"""Webhooks: when a job has ended, the URL that its request named is notified by a signed POST, retried for about an hour.

Messages are those of Standard Webhooks (standardwebhooks.com), signed by its library. The body is a `WebhookMessage`: the
job without its graphs.

A receiver may be slow, or never answer. So each owner has a share of what is sent at the same time, and waits only for
receivers of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx2
import structlog
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from standardwebhooks import Webhook

from app.http.errors import NotFound
from app.jobs.reading import JobReader
from app.jobs.webhooks.addresses import PrivateAddress, resolve
from app.jobs.webhooks.due import Due, DueWebhooks
from app.jobs.webhooks.message import EndedJob, WebhookMessage

# The secret that signs the messages to an owner; None if nothing is to be sent to it any more.
SecretOf: TypeAlias = Callable[[str], Awaitable[str | None]]

# Seconds from one try to the next; after the last the message is given up.
_RETRY_DELAYS = (5, 30, 120, 600, 3_600)
_LEASE_SECONDS = 30
_TIMEOUT_SECONDS = 10.0
_CANCEL_AGAIN_SECONDS = 0.5
_POLL_SECONDS = 0.5
# Messages that are sent at the same time, and those of one owner among them.
_MAX_SENDING, _MAX_OF_OWNER = 128, 16
_log = structlog.get_logger(__name__)


class WebhookSender:
    """Sends the webhooks of ended jobs. Every replica of the API runs one, and each message is sent by one of them."""

    def __init__(
        self,
        jobs: JobReader,
        redis: AsyncRedis,
        *,
        secret_of: SecretOf,
        allow_private: bool,
        retry_delays: Sequence[float] = _RETRY_DELAYS,
    ) -> None:
        """`allow_private` lets messages go to private addresses too, for a service inside a network of its own."""
        self.secret_of = secret_of
        self._jobs, self._allow_private = jobs, allow_private
        self._due = DueWebhooks(redis, lease_seconds=_LEASE_SECONDS, retry_delays=retry_delays)
        self._running: asyncio.Task[None] | None = None
        self._sending: dict[asyncio.Task[None], str] = {}
        # The event loop's own threads are few, and names of one owner may be slow to resolve.
        self._threads = ThreadPoolExecutor(_MAX_SENDING, thread_name_prefix="name of a webhook")

    def start(self) -> None:
        """Send webhooks until stopped."""
        self._running = asyncio.create_task(self._send_all())

    async def stop(self) -> None:
        """Stop sending, and wait for the end of it.

        A library that a task just then waits in may swallow a cancellation, so all are canceled again until they have ended.
        """
        while left := [task for task in (self._running, *self._sending) if task and not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_CANCEL_AGAIN_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _send_all(self) -> None:
        while True:
            try:
                await self._send_due()
            except RedisError as error:
                _log.warning("webhooks wait for redis", error=str(error))
            except Exception:  # whatever is wrong, the others must be sent
                _log.exception("webhooks could not be sent")
            if self._sending:
                await asyncio.wait(self._sending, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(_POLL_SECONDS)

    async def _send_due(self) -> None:
        """Begin to send what is due, as far as there is room."""
        while len(self._sending) < _MAX_SENDING:
            counts = Counter(self._sending.values())
            due = await self._due.take(busy=[owner for owner, count in counts.items() if count >= _MAX_OF_OWNER])
            if due is None:
                return
            task = asyncio.create_task(self._send_one(due))
            self._sending[task] = due.owner
            task.add_done_callback(self._sending.pop)

    async def _send_one(self, due: Due) -> None:
        try:
            await self._send(due)
        except RedisError as error:  # another one takes it after the lease
            _log.warning("webhooks wait for redis", error=str(error))
        except Exception:  # whatever is wrong with one message, the others must be sent
            _log.exception("a webhook could not be handled", job_id=due.job_id)

    async def _send(self, due: Due) -> None:
        secret = await self.secret_of(due.owner)
        try:
            job = (await self._jobs.find(due.job_id, with_graphs=False)).job
        except NotFound:
            await self._due.end(due)
            return
        if secret is None:
            _log.warning("webhook dropped: its key is revoked", job_id=due.job_id)
            await self._due.end(due)
            return
        ended = EndedJob.model_validate(job.model_dump())
        body = WebhookMessage.of(ended).model_dump_json(exclude={"data": {"graphs"}})
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                status = await self._post(str(job.request.webhook), body, sign(secret, due.job_id, body))
        except PrivateAddress as error:
            await self._retry_later(due, str(error))
            return
        except Exception as error:  # the URL is a caller's, and anything may be wrong with it
            # Not the error's text: it may hold the URL, and that may be a secret.
            await self._retry_later(due, type(error).__name__)
            return
        if not 200 <= status < 300:
            await self._retry_later(due, f"answered {status}")
            return
        await self._due.end(due)
        _log.info("webhook sent", job_id=due.job_id, status=status)

    async def _retry_later(self, due: Due, reason: str) -> None:
        tries, is_given_up = await self._due.retry(due)
        _log.warning("webhook failed", job_id=due.job_id, tries=tries, given_up=is_given_up, reason=reason)

    async def _post(self, url: str, body: str, headers: dict[str, str]) -> int:
        """The status of the answer; its body is not read."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        address = await resolve(host, port, allow_private=self._allow_private, threads=self._threads)
        literal = f"[{address}]" if ":" in address else address
        target = parts._replace(netloc=f"{literal}:{port}").geturl()
        headers = {"Host": parts.netloc.rpartition("@")[2], "Content-Type": "application/json", **headers}
        # A client for each message: connections and cookies belong to a host, and a client keeps them by address.
        async with (
            httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream(
                "POST",
                target,
                content=body.encode(),
                headers=headers,
                extensions={"sni_hostname": host},
                follow_redirects=False,
            ) as answer,
        ):
            return int(answer.status_code)


def sign(secret: str, message_id: str, body: str) -> dict[str, str]:
    """The headers by which the receiver verifies a message."""
    now = datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }
