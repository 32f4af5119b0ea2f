"""The queue in Prometheus metrics: read from Redis at every scrape, so every replica of the API reports the same.

Aggregate them by `max by (…)`, not by a sum.
"""

from collections.abc import Callable, Iterator

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from app.jobs.state import QueueState

_log = structlog.get_logger(__name__)


class QueueCollector(Collector):
    """Calls `state` at every scrape."""

    def __init__(self, state: Callable[[], QueueState]) -> None:
        self._state = state

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that registering the collector does not ask Redis."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The queue as it is, or that Redis does not answer."""
        try:
            state = self._state()
        except RedisError as error:
            _log.warning("metrics of the queue are missing", error=str(error))
            yield GaugeMetricFamily("digress_redis_up", "Whether Redis answers.", 0)
            return
        yield GaugeMetricFamily("digress_redis_up", "Whether Redis answers.", 1)
        yield GaugeMetricFamily("digress_queue_jobs", "Jobs that wait.", state.waiting)
        yield GaugeMetricFamily("digress_queue_running_jobs", "Jobs that workers have taken.", state.running)
        yield GaugeMetricFamily(
            "digress_queue_oldest_job_age_seconds", "Age of the job that waits longest.", state.oldest_seconds
        )
        yield GaugeMetricFamily(
            "digress_queue_backlog_seconds", "Work that waits, by the workers' pace.", state.backlog_seconds
        )
        yield GaugeMetricFamily("digress_queue_limit_jobs", "Jobs that may wait at the most.", state.limit)
        yield GaugeMetricFamily("digress_workers", "Workers heard of lately.", state.workers)
