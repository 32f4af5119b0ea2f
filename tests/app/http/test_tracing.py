from opentelemetry.sdk.trace import TracerProvider

from app.http.tracing import describe_request


def test_a_span_has_the_id_of_its_request_and_nothing_of_the_query() -> None:
    tracer = TracerProvider().get_tracer("test")

    with tracer.start_as_current_span("plain") as plain:
        describe_request("r-1", has_query=False)
    with tracer.start_as_current_span("asking") as asking:
        describe_request("r-2", has_query=True)

    assert dict(plain.attributes) == {"digress.request_id": "r-1"}  # type: ignore[attr-defined]
    assert dict(asking.attributes) == {  # type: ignore[attr-defined]
        "digress.request_id": "r-2",
        "url.query": "REDACTED",
    }
