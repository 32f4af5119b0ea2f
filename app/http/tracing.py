"""Traces of requests (OpenTelemetry), from the API to the worker.

    POST /generate    server     FastAPI's span of a request; a child of the caller's span, if there is a `traceparent`
    submit digress    producer   a job is queued; its RQ message carries this span's `traceparent`
    process digress   consumer   a worker computes the job (`worker.tracing`)

Spans name jobs, models and kinds of errors. They hold nothing else of a request: no body, query or key, and no error
message, which may repeat these. If `DIGRESS_TRACING` is off, nothing is traced.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace


def request_spans(is_on: bool, *, exclude: Callable[[MutableMapping[str, Any]], bool]) -> TelemetryConfig:
    """The telemetry of FastAPI: a span for every request that is not excluded, and nothing else."""
    return TelemetryConfig(
        tracing=is_on, exclude=exclude, operation_spans=False, metrics=False, logs=False, auto_configure=False
    )


def describe_request(request_id: str, *, has_query: bool) -> None:
    """Complete the span that FastAPI made for a request."""
    span = trace.get_current_span()
    span.set_attribute("digress.request_id", request_id)
    if has_query:
        span.set_attribute("url.query", "REDACTED")
