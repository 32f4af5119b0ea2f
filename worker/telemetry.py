"""Prometheus metrics of a worker: its jobs, its steps, its models and its device.

They are served on a port of their own (`DIGRESS_WORKER_METRICS_PORT`). Names begin with `digress_`, units are base units, and no
label is ever an id.
"""

from collections.abc import Callable, Iterator

import torch
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.jobs.reports import WorkerReport
from app.schemas import JobStatus, JobSummary
from models.compute.memory import used_and_free_bytes

# From jobs of a few steps to those of hours.
_JOB_BUCKETS = (0.1, 0.3, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 7680)
_STEP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_SHARE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


class WorkerMetrics:
    """What one worker has done."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        kind = ["model", "kind"]
        self._waits = Histogram(
            "digress_job_wait_seconds",
            "From the submission of a job until a worker starts it.",
            kind,
            buckets=_JOB_BUCKETS,
            registry=registry,
        )
        self._jobs = Histogram(
            "digress_job_duration_seconds",
            "From the start of a job in this worker to its end.",
            [*kind, "status"],
            buckets=_JOB_BUCKETS,
            registry=registry,
        )
        self._graphs = Counter("digress_graphs", "Graphs returned.", kind, registry=registry)
        self._valid = Counter("digress_graphs_valid", "Valid molecules among them.", kind, registry=registry)
        self._missing = Counter(
            "digress_graphs_missing",
            "Graphs that are missing, since no draw passed the filter.",
            kind,
            registry=registry,
        )
        self._steps = Histogram(
            "digress_engine_step_duration_seconds",
            "One denoising step of a batch.",
            ["model"],
            buckets=_STEP_BUCKETS,
            registry=registry,
        )
        self._graph_steps = Counter(
            "digress_engine_graph_steps", "Denoising steps, counted for every graph.", ["model"], registry=registry
        )
        self._fullness = Histogram(
            "digress_engine_batch_fullness_ratio",
            "Cost of a step, as a share of the largest useful step.",
            ["model"],
            buckets=_SHARE_BUCKETS,
            registry=registry,
        )
        self._memory_short = Counter(
            "digress_engine_memory_short", "Steps made smaller since memory was short.", ["model"], registry=registry
        )
        self._failed_steps = Counter("digress_engine_faults", "Steps that failed.", registry=registry)

    def model_ready(self, model: str) -> None:
        """A model is ready. Its counter starts at 0 now: an alert looks for increases, and a first value is not one."""
        self._memory_short.labels(model)

    def job_started(self, model: str, kind: str, *, waited: float) -> None:
        """A job has started, so many seconds after it was submitted."""
        self._waits.labels(model, kind).observe(max(waited, 0.0))

    def job_ended(
        self, model: str, kind: str, status: JobStatus, *, seconds: float, summary: JobSummary | None
    ) -> None:
        """A job has ended."""
        self._jobs.labels(model, kind, status).observe(seconds)
        if summary is not None:
            self._graphs.labels(model, kind).inc(summary.num_graphs)
            self._missing.labels(model, kind).inc(summary.short)
            if summary.valid is not None and summary.unique is not None:  # counted of molecules alone
                self._valid.labels(model, kind).inc(summary.valid)

    def step_taken(self, model: str, *, seconds: float, num_graphs: int, fullness: float) -> None:
        """A step has been taken."""
        self._steps.labels(model).observe(seconds)
        self._graph_steps.labels(model).inc(num_graphs)
        self._fullness.labels(model).observe(fullness)

    def memory_was_short(self, model: str) -> None:
        """A step had to be made smaller."""
        self._memory_short.labels(model).inc()

    def step_failed(self) -> None:
        """A step ended with an error."""
        self._failed_steps.inc()

    def watch(self, device: torch.device, report: Callable[[], tuple[WorkerReport, int]]) -> None:
        """At every scrape, show the engine's report, the number of its jobs, and how much memory is used."""
        self.registry.register(_EngineCollector(device, report))

    def serve(self, port: int, host: str) -> None:
        """Serve Prometheus from a thread.

        Raises:
            OSError: if the port is taken.
        """
        start_http_server(port, host, registry=self.registry)


class _EngineCollector(Collector):
    def __init__(self, device: torch.device, report: Callable[[], tuple[WorkerReport, int]]) -> None:
        self._device, self._report = device, report

    def collect(self) -> Iterator[GaugeMetricFamily]:
        report, num_jobs = self._report()
        yield GaugeMetricFamily("digress_engine_jobs", "Jobs that are being computed.", num_jobs)
        yield GaugeMetricFamily(
            "digress_engine_backlog_seconds", "Work that is left of these jobs, by pace.", report.left
        )
        yield GaugeMetricFamily(
            "digress_engine_speed_ratio", "Seconds of work done in a second, by pace.", report.speed
        )
        models = GaugeMetricFamily("digress_model_loaded", "Models that are ready to draw.", labels=["model"])
        for name in report.capacity:
            models.add_metric([name], 1)
        yield models
        memory = GaugeMetricFamily(
            "digress_device_memory_bytes",
            "Memory of the GPU, by all processes; on a CPU what this worker holds, and what its limit leaves.",
            labels=["device", "state"],
        )
        for state, size in zip(("used", "free"), used_and_free_bytes(self._device), strict=True):
            memory.add_metric([str(self._device), state], size)
        yield memory
