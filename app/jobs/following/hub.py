"""Everybody who follows a job, in one process: events as they happen, and how the jobs stand.

One connection to Redis, however many follow, hears on the channel of a job (`app/jobs/scripts/lib/job.lua` names it) that
there is something new in the job's stream. That only wakes those who follow the job. Each then reads the stream after the
last event that it has seen, so none is lost or doubled, whatever the connection has missed:

    subscribe -> confirmed -> read: what came in between is there
    the connection is lost -> all read, and again once it is back

Round after round, `_BATCH` jobs are looked at every `_ROUND_SECONDS`. That gives estimates, and wakes whoever has missed a word.
So an estimate comes every two seconds while few follow, and less often the more there are.
"""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any

import structlog
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from app.jobs.following.events import FINAL_EVENTS, JobEvent, has_ended, read_events
from app.jobs.following.outlook import Outlook, read_outlooks
from app.jobs.keys import events_key

_ROUND_SECONDS = 0.25
_BATCH = 50
_FIRST_ESTIMATE_SECONDS = 0.5
_ESTIMATE_SECONDS = 2.0
_RECONNECT_SECONDS = 0.5
_CLOSE_SECONDS = 2.0
# The connection is kept for so long after the last one has left: another may soon come.
_LINGER_SECONDS = 10.0
_log = structlog.get_logger(__name__)


class _Follower:
    """One that follows a job: what it has seen, and what it is woken for."""

    def __init__(self, job_id: str, after: str, *, with_estimates: bool) -> None:
        self.job_id, self.after, self.with_estimates = job_id, after, with_estimates
        self.has_news, self.is_dismissed = True, False
        self.estimate: JobEvent | None = None
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    def tell_news(self) -> None:
        self.has_news = True
        self._wake.set()

    async def sleep(self, seconds: float) -> None:
        """Return when woken, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await self._wake.wait()
        self._wake.clear()


class EventHub:
    """The followers of one process. It asks nothing of Redis once there are none."""

    def __init__(self, redis: AsyncRedis) -> None:
        self._redis = redis
        self.is_stopping: Callable[[], bool] = lambda: False
        """Whether all are dismissed, since the process ends."""
        self._followers: dict[str, set[_Follower]] = {}
        self._due: list[tuple[float, int, _Follower]] = []  # a heap, by when they are due to be looked at
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._alone_since = 0.0
        self._pubsub: PubSub | None = None
        self._subscribed: set[str] = set()

    @property
    def num_followers(self) -> int:
        """How many follow a job now."""
        return sum(map(len, self._followers.values()))

    async def follow(
        self, job_id: str, *, after: str = "0", seconds: float = math.inf, with_estimates: bool = False
    ) -> AsyncGenerator[JobEvent, None]:
        """The events of a job after the one with the id `after`, as they happen, up to its end; estimates between them, if wanted.

        Ends early when `seconds` have passed or the process stops.
        """
        deadline = time.monotonic() + seconds
        follower = _Follower(job_id, after, with_estimates=with_estimates)
        await self._join(follower)
        try:
            while not follower.is_dismissed:
                if follower.has_news:
                    events, is_over = await self._news(follower)
                    _raise_if_canceled()
                    for event in events:
                        yield event
                    if is_over:
                        return
                if follower.estimate:
                    estimate, follower.estimate = follower.estimate, None
                    yield estimate
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                if not follower.has_news:
                    await follower.sleep(left)
        finally:
            self._leave(follower)

    async def close(self) -> None:
        """Dismiss all, and let the connection go."""
        self._dismiss_all()
        self._stop()
        if self._ending:
            await asyncio.wait(self._ending, timeout=_CLOSE_SECONDS)

    async def _news(self, follower: _Follower) -> tuple[list[JobEvent], bool]:
        """The events that a follower has not seen, and whether they are the last."""
        follower.has_news = False
        events = await read_events(self._redis, follower.job_id, follower.after)
        is_over = not events and await has_ended(self._redis, follower.job_id)
        if is_over:  # it may have ended since: its last event is there now
            events = await read_events(self._redis, follower.job_id, follower.after)
        final = next((place for place, event in enumerate(events) if event.name in FINAL_EVENTS), None)
        if final is not None:
            events = events[: final + 1]
        if events:
            follower.after = str(events[-1].id)
        return events, is_over or final is not None

    async def _join(self, follower: _Follower) -> None:
        self._followers.setdefault(follower.job_id, set()).add(follower)
        self._put(follower, _FIRST_ESTIMATE_SECONDS)
        if all(task.done() for task in self._tasks):
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._look_round())]
        else:
            await self._subscribe()

    def _leave(self, follower: _Follower) -> None:
        follower.is_dismissed = True  # the heap drops it when it comes up
        others = self._followers[follower.job_id]
        others.discard(follower)
        if not others:
            del self._followers[follower.job_id]
        if not self._followers:
            self._alone_since = time.monotonic()

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            self._ending.add(task)  # it closes its connection first
            task.add_done_callback(self._ending.discard)
        self._tasks, self._pubsub = [], None
        self._due.clear()

    async def _listen(self) -> None:
        """Wake those whose job has something new."""
        while self._is_wanted():
            try:
                async with self._redis.pubsub() as pubsub:
                    self._subscribed = set(self._followers)
                    await pubsub.subscribe(*map(events_key, self._subscribed))
                    if self._is_wanted():
                        self._pubsub = pubsub
                    while self._is_wanted():
                        message: Any = await pubsub.get_message(timeout=None)
                        if message and message["type"] in {"message", "subscribe"}:
                            self._tell_news(self._followers.get(_job_of(message["channel"]), ()))
            except RedisError as error:
                _log.warning("redis is unavailable; events are late", error=str(error))
            self._pubsub = None
            self._tell_news(itertools.chain.from_iterable(self._followers.values()))
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _is_wanted(self) -> bool:
        """Whether the current task has not been canceled (see `_raise_if_canceled`)."""
        return asyncio.current_task() in self._tasks

    async def _subscribe(self) -> None:
        """Hear of the jobs that are followed, and of no others."""
        if self._pubsub is None:
            return  # `_listen` will subscribe
        new, old = self._followers.keys() - self._subscribed, self._subscribed - self._followers.keys()
        self._subscribed = set(self._followers)
        with suppress(RedisError):  # `_listen` connects again
            if new:
                await self._pubsub.subscribe(*map(events_key, new))
            if old:
                await self._pubsub.unsubscribe(*map(events_key, old))

    async def _look_round(self) -> None:
        """Look at the jobs that are due, again and again."""
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            if self.is_stopping():
                self._dismiss_all()
            if not self._followers and time.monotonic() - self._alone_since > _LINGER_SECONDS:
                self._stop()
            await self._subscribe()
            due = self._take_due()
            if not due:
                continue
            try:
                outlooks = await read_outlooks(self._redis, list({follower.job_id for follower in due}))
            except RedisError:  # they will find out themselves
                self._tell_news(due)
                continue
            except Exception:  # whatever it is, all followers depend on this task
                _log.exception("jobs that are followed could not be looked at")
                self._tell_news(due)
                continue
            for follower in due:
                _show(follower, outlooks[follower.job_id])

    def _put(self, follower: _Follower, seconds: float) -> None:
        heappush(self._due, (time.monotonic() + seconds, next(self._numbers), follower))

    def _take_due(self) -> list[_Follower]:
        """The followers that are looked at in this round; they are due again later."""
        due: list[_Follower] = []
        while self._due and len(due) < _BATCH and self._due[0][0] <= time.monotonic():
            follower = heappop(self._due)[2]
            if not follower.is_dismissed:
                self._put(follower, _ESTIMATE_SECONDS)
                due.append(follower)
        return due

    @staticmethod
    def _tell_news(followers: Iterable[_Follower]) -> None:
        for follower in list(followers):
            follower.tell_news()

    def _dismiss_all(self) -> None:
        for followers in self._followers.values():
            for follower in followers:
                follower.is_dismissed = True
                follower.wake()


def _raise_if_canceled() -> None:
    """End a task that was canceled: redis-py loses that now and then while it connects."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _show(follower: _Follower, outlook: Outlook) -> None:
    """Tell a follower what is new about its job."""
    if outlook.progress is None or _place(outlook.last_event) > _place(follower.after):
        follower.tell_news()
    elif follower.with_estimates:
        follower.estimate = JobEvent(None, "progress", outlook.progress)
        follower.wake()


def _place(event: str) -> tuple[int, int]:
    """An event's place in the stream, by its id: `milliseconds-number`, or the milliseconds alone."""
    milliseconds, _, number = event.partition("-")
    return int(milliseconds or 0), int(number or 0)


def _job_of(channel: bytes) -> str:
    """The job whose events a channel is about: `events_key` read backwards."""
    return channel.decode().split(":")[-2]
