"""Prometheus metrics of the API and of the queue.

Those of requests are counted here as they pass; those of the queue are read from Redis when somebody asks, so that every
replica of the API says the same: take `max by (…)` of them, not a sum. Workers have an endpoint of their own
(`worker.telemetry`). Names begin with `digress_`, units are base units, and no label is ever an id.
"""

from collections.abc import Callable, Iterator

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from app.queue import QueueState

# Most answers take milliseconds; those that wait for a job, up to a minute.
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_log = structlog.get_logger(__name__)


class ApiMetrics:
    """What one API process has seen."""

    def __init__(self, state: Callable[[], QueueState]) -> None:
        """`state` asks Redis how the queue is."""
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = Counter(
            "digress_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.durations = Histogram(
            "digress_http_request_duration_seconds",
            "From the request until its answer begins, waiting for a job included.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "digress_http_requests_in_progress", "Requests that are being answered.", registry=self.registry
        )
        self.submitted = Counter(
            "digress_jobs_submitted", "Jobs queued.", ["model", "kind", "priority"], registry=self.registry
        )
        self.rejected = Counter(
            "digress_jobs_rejected",
            "Requests for jobs that were turned down: the queue was full, or the key allows no more.",
            ["reason"],
            registry=self.registry,
        )
        for reason in ("queue_full", "rate", "quota"):
            self.rejected.labels(reason)
        self.registry.register(_QueueCollector(state))

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self.registry)


class _QueueCollector(Collector):
    """Asks Redis at every scrape."""

    def __init__(self, state: Callable[[], QueueState]) -> None:
        self._state = state

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: Redis is not to be asked when the collector is registered."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The queue as it is; without Redis only that it does not answer."""
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
