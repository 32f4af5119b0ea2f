"""The span of queueing a job, and what carries a trace on to the worker (`app.http.tracing` has the whole picture)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.jobs.keys import QUEUE
from app.schemas import AnyCompletedRequest

_tracer = trace.get_tracer(__name__)


@contextmanager
def submitting(request: AnyCompletedRequest) -> Iterator[Callable[[str], None]]:
    """The span of queueing a job; call what it gives with the job's id."""
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
