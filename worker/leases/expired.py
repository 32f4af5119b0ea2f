"""Leases of other workers that have run out: when to believe it, and what to do then.

A lease runs out when nobody has renewed it: its worker has died, or it could not reach Redis. After Redis itself was away,
everybody's leases have run out, and the first worker to come back would find the jobs of all others dead. So a worker that
was out of touch, or has only just started, waits for as long as a lease. By then every living worker has renewed its own.
"""

import math
import time
from datetime import timedelta

from rq.intermediate_queue import IntermediateQueue
from rq.queue import Queue
from rq.utils import now

from app.jobs.leases import harmless_silence_seconds


class RedisContact:
    """How long this worker has reached Redis without a break."""

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._last: float | None = None
        self._since = math.inf

    def record_answer(self) -> None:
        """Redis has answered."""
        moment = time.monotonic()
        if self._last is None or self._is_broken(moment):
            self._since = moment
        self._last = moment

    @property
    def proves_workers_dead(self) -> bool:
        """Whether a lease that has run out means that its worker is dead."""
        moment = time.monotonic()
        return not self._is_broken(moment) and moment - self._since >= self._lease_seconds

    def _is_broken(self, moment: float) -> bool:
        return self._last is not None and moment - self._last > harmless_silence_seconds(self._lease_seconds)


class LeasedIntermediateQueue(IntermediateQueue):
    """RQ's list of jobs that a worker has taken and not begun; they are given up after a lease, not after RQ's minute."""

    def __init__(self, queue: Queue, lease_seconds: float) -> None:
        super().__init__(queue.key, queue.connection)
        self._max_age = timedelta(seconds=lease_seconds)

    def should_be_cleaned_up(self, job_id: str) -> bool:
        first_seen = self.get_first_seen(job_id)
        return first_seen is not None and now() - first_seen > self._max_age
