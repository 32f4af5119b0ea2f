"""The API's part in traces (OpenTelemetry), and what carries one on to the worker.

    POST /generate    server     FastAPI's own span of a request; below that of the caller, if it has a `traceparent`
    submit digress    producer   a job is queued; its RQ message has this span's `traceparent`
    process digress   consumer   a worker has the job (`worker.tracing`)

Spans name jobs, models and errors. They hold nothing else that came with a request: no body, no query, no key, and of
an error its kind but not its words, which may repeat these. Where `DIGRESS_TRACING` is off, all of this does nothing.
"""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.schemas import QUEUE, AnyCompletedRequest

_tracer = trace.get_tracer(__name__)


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


@contextmanager
def submitting(request: AnyCompletedRequest) -> Iterator[Callable[[str], None]]:
    """The span of queueing a job, which is to be told the job's id."""
    attributes: dict[str, str | int] = {
        "messaging.system": "rq",
        "messaging.operation.name": "submit",
        "messaging.operation.type": "send",
        "messaging.destination.name": QUEUE,
        "digress.job.model": request.model,
        "digress.job.kind": request.kind,
        "digress.job.num_graphs": request.num_graphs,
    }
    with _tracer.start_as_current_span(
        f"submit {QUEUE}",
        kind=SpanKind.PRODUCER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield partial(span.set_attribute, "messaging.message.id")
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


def trace_headers() -> dict[str, str]:
    """The current span as W3C Trace Context has it, `traceparent` and `tracestate`; nothing if there is none."""
    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers
