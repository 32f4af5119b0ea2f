"""The API's part in traces (OpenTelemetry), and what carries one on to the worker.

    POST /generate    server     FastAPI's own span of a request; below that of the caller, if it has a `traceparent`
    submit digress    producer   a job is queued; its RQ message has this span's `traceparent`
    process digress   consumer   a worker has the job (`worker.tracing`)

Spans name jobs, models and errors. They hold nothing else that came with a request: no body, no query, no key, and of
an error its kind but not its words, which may repeat these. Where `DIGRESS_TRACING` is off, all of this does nothing.
"""

from collections.abc import Callable, MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace


def request_spans(is_on: bool, *, exclude: Callable[[MutableMapping[str, Any]], bool]) -> TelemetryConfig:
    """What FastAPI is told: a span for every request but those that are excluded, and nothing more."""
    return TelemetryConfig(
        tracing=is_on, exclude=exclude, operation_spans=False, metrics=False, logs=False, auto_configure=False
    )


def describe_request(request_id: str, *, has_query: bool) -> None:
    """Complete the span of a request, as FastAPI made it."""
    span = trace.get_current_span()
    span.set_attribute("digress.request_id", request_id)
    if has_query:
        span.set_attribute("url.query", "REDACTED")
