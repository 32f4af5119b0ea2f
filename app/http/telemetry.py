"""Prometheus metrics of the requests to the API.

`app.jobs.observability.metrics` has those of the queue; workers have an endpoint of their own (`worker.telemetry`). Names begin with
`digress_`, units are base units, and a label is never an id.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

# Most responses take milliseconds; those that wait for a job, up to a minute.
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

# Reasons for which requests other than submissions are turned down, and connections.
REFUSALS = ("streams", "owner_streams", "connections", "client_connections", "slow_reader")


class ApiMetrics:
    """The metrics of one API process."""

    def __init__(self, *others: Collector) -> None:
        """`others` are collected at every scrape too."""
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
            "Requests for jobs that were turned down: the queue was full, or its owner may have no more.",
            ["reason"],
            registry=self.registry,
        )
        for reason in ("queue_full", "rate", "quota", "owner_jobs", "owner_seconds"):
            self.rejected.labels(reason)
        self.refused = Counter(
            "digress_http_refused",
            "Requests and connections that were turned down, or ended, to leave room for others.",
            ["reason"],
            registry=self.registry,
        )
        for reason in REFUSALS:
            self.refused.labels(reason)
        for other in others:
            self.registry.register(other)

    def count_refusal(self, reason: str) -> None:
        """Count a request that was turned down."""
        (self.refused if reason in REFUSALS else self.rejected).labels(reason).inc()

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
