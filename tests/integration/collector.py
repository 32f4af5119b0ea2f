"""A collector of traces, which keeps what it is sent (OTLP over HTTP)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

# The trace that most spans are in: 32 digits, chosen by the caller.
WHOLE = "1" * 32


@dataclass(frozen=True)
class Received:
    """A span, and what the process that sent it says of itself."""

    span: Span
    resource: dict[str, Any]

    @property
    def attributes(self) -> dict[str, Any]:
        return values(self.span)

    @property
    def trace(self) -> str:
        return self.span.trace_id.hex()


def values(holder: Any) -> dict[str, Any]:
    """Name -> value of what has attributes."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in holder.attributes}


@dataclass
class Collector:
    """Takes OTLP over HTTP."""

    endpoint: str = ""
    received: list[Received] = field(default_factory=list)

    def spans(self, name: str, trace: str = WHOLE) -> list[Received]:
        found = [one for one in self.received if (one.span.name, one.trace) == (name, trace)]
        return sorted(found, key=lambda one: one.span.start_time_unix_nano)

    def span(self, name: str, trace: str = WHOLE) -> Received:
        (found,) = self.spans(name, trace)
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = values(sent.resource)
                collector.received += [Received(span, resource) for scope in sent.scope_spans for span in scope.spans]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()
