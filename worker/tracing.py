"""The worker's part in traces (OpenTelemetry): a span for every time that a job is tried, below that of its submission.

A job that was handed back, or whose worker died, is tried again, and there is another span in the same trace. Each has

    digress.job.model, .kind, .num_graphs
    digress.job.wait_seconds    from the submission to this try
    digress.job.status          how the job ended; missing if this try did not end it, and an event says why
    error.type                  if it failed

and events for the begin and the end of the drawing. `app.http.tracing` says what no span holds.
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
    """The span of one try, in the trace that the `traceparent` among `headers` tells, or in a new one."""
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


def describe_job(**attributes: str | float) -> None:
    """Say more of the job whose span is the current one."""
    trace.get_current_span().set_attributes({f"digress.job.{name}": value for name, value in attributes.items()})


def note(event: str) -> None:
    """Something has happened to the job."""
    trace.get_current_span().add_event(event)


def note_error(error: Exception) -> None:
    """The try, or the job, failed by this error: what it is, and where it came from."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    kind = type(error).__qualname__
    where = "".join(traceback.format_tb(error.__traceback__))
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
    span.add_event("exception", {"exception.type": kind, "exception.stacktrace": where})
