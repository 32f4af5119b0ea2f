import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from app.jobs.observability import spans
from app.jobs.observability.spans import submitting, trace_headers
from app.schemas import CompletedRequest

REQUEST = CompletedRequest(model="tiny", num_graphs=3, seed=7, sampler="ancestral", num_steps=10)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("test"))
    return exporter


def test_the_span_of_a_submission_names_its_job_and_is_passed_on(exporter: InMemorySpanExporter) -> None:
    with submitting(REQUEST) as name_job:
        name_job("a")
        headers = trace_headers()

    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert span.attributes is not None
    assert headers["traceparent"].startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
    assert span.attributes["messaging.message.id"] == "a"
    assert (span.attributes["digress.job.model"], span.attributes["digress.job.num_graphs"]) == ("tiny", 3)


def test_a_submission_that_fails_tells_its_kind_and_no_message(exporter: InMemorySpanExporter) -> None:
    message = "secret"

    with pytest.raises(ConnectionError), submitting(REQUEST):
        raise ConnectionError(message)

    (span,) = exporter.get_finished_spans()
    assert span.status.status_code == StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ConnectionError"
    assert "secret" not in span.to_json()


def test_without_a_span_nothing_is_passed_on() -> None:
    assert trace_headers() == {}
