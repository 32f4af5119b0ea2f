"""Logs and traces of a process that handles jobs: the API and the workers set them up alike."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from io import StringIO
from typing import TextIO

import structlog
from opentelemetry import trace

from app.jobs.observability.escaping import visible
from app.settings import Settings, SettingsError

# How long the last spans may take when a process ends.
_LAST_SPANS_SECONDS = 2.0
# How often the log says that a collector cannot be reached.
_EXPORT_ERROR_SECONDS = 60.0


def configure_logging(settings: Settings) -> None:
    """Write logs, those of libraries too, to standard error in the form that is set; no log shows what variables held."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([_add_trace] if settings.tracing else []),
    ]
    if settings.log_format == "json":
        transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        render: list[structlog.typing.Processor] = [
            structlog.processors.ExceptionRenderer(transformer),
            structlog.processors.JSONRenderer(),
        ]
    else:
        render = [
            _escape,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_write_traceback),
        ]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        # A line is one write: API and worker share a stream, and would write into each other's lines.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _escape(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Write out what a terminal would obey; JSON does so itself."""
    return {name: visible(value) if isinstance(value, str) else value for name, value in line.items()}


def _write_traceback(output: TextIO, error: structlog.typing.ExcInfo) -> None:
    """A traceback, indented, so that no line of an error's message looks like a line of the log."""
    plain = StringIO()
    structlog.dev.plain_traceback(plain, error)
    output.write("\n".join(f"    {visible(line)}" if line else "" for line in plain.getvalue().split("\n")))


def _add_trace(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the current span to a line of the log."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = trace.format_trace_id(context.trace_id)
        line["span_id"] = trace.format_span_id(context.span_id)
    return line


def start_tracing(settings: Settings, service: str) -> Callable[[], None]:
    """Let this process send its spans, if that is set; the function returned sends the last of them when the process ends.

    OpenTelemetry reads its own variables (OTEL_…): where to send them, how many, and a name other than `service`.
    Its SDK is imported here alone.

    Raises:
        SettingsError: if it is not installed.
    """
    if not settings.tracing:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            "DIGRESS_TRACING needs the extra 'tracing'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[tracing]'"
        ) from None

    defaults = {"service.name": service, "service.version": version("digress-serve")}
    resource = Resource.create({**defaults, **OTELResourceDetector().detect().attributes})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    logging.getLogger(OTLPSpanExporter.__module__).addFilter(_OneInAWhile())

    def end() -> None:
        # The exporter retries a collector that is out of reach for longer than a process should take to end.
        last = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(_LAST_SPANS_SECONDS)

    return end


class _OneInAWhile(logging.Filter):
    """Lets one line a minute pass: the exporter writes several every few seconds while the collector is out of reach."""

    _next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _EXPORT_ERROR_SECONDS
        return True
