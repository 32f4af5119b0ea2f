import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from worker import tracing
from worker.tracing import add_event, job_span, record_error, set_job_attributes

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_an_attempt_is_in_the_trace_of_its_submission(exporter: InMemorySpanExporter) -> None:
    with job_span("a", {"traceparent": f"00-{TRACE}-{PARENT}-01"}):
        set_job_attributes(model="tiny", num_graphs=3)
        add_event("drawing begins")

    span = only(exporter)
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.attributes is not None
    assert span.attributes["messaging.message.id"] == "a"
    assert (span.attributes["digress.job.model"], span.attributes["digress.job.num_graphs"]) == ("tiny", 3)
    assert [event.name for event in span.events] == ["drawing begins"]


def test_a_span_without_a_trace_begins_one(exporter: InMemorySpanExporter) -> None:
    with job_span("a", {}):
        pass

    assert only(exporter).parent is None


def test_an_attempt_that_did_not_end_the_job_says_why_it_was_left(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(TimeoutError), job_span("a", {}):
        raise TimeoutError("secret")

    span = only(exporter)
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("left", {"reason": "TimeoutError"})
    ]
    assert span.status.status_code == StatusCode.UNSET


def test_an_error_is_told_by_its_type_and_place_but_not_its_message(exporter: InMemorySpanExporter) -> None:
    message = "secret"

    with job_span("a", {}):
        try:
            raise ValueError(message)
        except ValueError as error:
            record_error(error)

    span = only(exporter)
    assert span.status.status_code == StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ValueError"
    assert "test_tracing" in str((span.events[0].attributes or {})["exception.stacktrace"])
    assert "secret" not in span.to_json()


def test_without_a_span_an_error_is_not_recorded() -> None:
    record_error(ValueError("secret"))
