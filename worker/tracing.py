"""The worker's part in traces (OpenTelemetry): a span for every attempt at a job, below the span of its submission.

A job that was put back into the queue, or whose worker died, is tried again, and has another span in the same trace. Each has

    digress.job.model, .kind, .num_graphs
    digress.job.wait_seconds    from the submission to this attempt
    digress.job.status          how the job ended; missing if this attempt did not end it, and an event says why
    error.type                  if it failed

and events for the begin and the end of drawing. `app.http.tracing` says what no span holds.
"""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.jobs.keys import QUEUE

_tracer = trace.get_tracer(__name__)


@contextmanager
def job_span(job_id: str, headers: Mapping[str, str]) -> Iterator[None]:
    """The span of one attempt, in the trace that `traceparent` in `headers` names, or in a new one."""
    attributes = {
        "messaging.system": "rq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": QUEUE,
        "messaging.message.id": job_id,
    }
    with _tracer.start_as_current_span(
        f"process {QUEUE}",
        context=TraceContextTextMapPropagator().extract(headers),
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Exception as reason:
            span.add_event("left", {"reason": type(reason).__qualname__})
            raise


def set_job_attributes(**attributes: str | float) -> None:
    """Set attributes of the job on the current span."""
    trace.get_current_span().set_attributes({f"digress.job.{name}": value for name, value in attributes.items()})


def add_event(event: str) -> None:
    """Add an event to the current span."""
    trace.get_current_span().add_event(event)


def record_error(error: Exception) -> None:
    """Mark the current span as failed by an error: its type and traceback, but not its message."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    kind = type(error).__qualname__
    where = "".join(traceback.format_tb(error.__traceback__))
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
    span.add_event("exception", {"exception.type": kind, "exception.stacktrace": where})
