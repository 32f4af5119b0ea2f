"""What happens around every request: it gets an id, is counted and logged, and its response carries security headers."""

import re
import time
import uuid

import structlog
from anyio import BrokenResourceError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.errors import ClientLeft, ResponseAborted
from app.http.telemetry import ApiMetrics
from app.http.tracing import describe_request

# Browsers: trust the content type, show nothing of this in frames, send no referrer, keep no results, load nothing.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Monitoring requests these every few seconds.
_MONITORING_PATHS = ("/health/", "/metrics")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_log = structlog.get_logger(__name__)


def is_monitoring(scope: Scope) -> bool:
    """Whether this is a request of a monitoring system, too frequent to be logged or traced."""
    return str(scope["path"]).startswith(_MONITORING_PATHS)


class ObservabilityMiddleware:
    """Counts and logs requests, and gives each an id.

    The id is that of the header `X-Request-ID`, or a new one; the response repeats it.
    """

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        describe_request(request_id, has_query=bool(scope.get("query_string")))
        started = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
                self._observe(scope, message["status"], time.perf_counter() - started)
            await send(message)

        with (
            self.metrics.in_progress.track_inprogress(),
            structlog.contextvars.bound_contextvars(request_id=request_id),
        ):
            try:
                await self.app(scope, receive, observed)
            except Exception:  # answered by the framework, further out
                self._observe(scope, 500, time.perf_counter() - started)
                raise

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's path; the requested path holds ids.
        route = getattr(scope.get("route"), "path", "unmatched")
        # Clients can send any method; labels must be few.
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.metrics.requests.labels(method, route, status).inc()
        self.metrics.durations.labels(method, route).observe(seconds)
        write = _log.debug if is_monitoring(scope) else _log.info
        write("request", method=method, path=scope["path"], status=status, seconds=round(seconds, 4))


class IgnoreDisconnectsMiddleware:
    """Ends responses quietly that cannot be completed; these are no faults of the API.

    A client may disconnect while events are being sent (the framework then raises: fastapi, discussion 15725). Or a stream
    cannot be read to its end: the server closes the connection when the application returns early.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except* BrokenResourceError:
            _log.debug("client disconnected", path=scope["path"])
        except* ClientLeft:
            _log.debug("client left; nothing more is done for it", path=scope["path"])
        except* ResponseAborted as aborted:
            _log.warning("response aborted", path=scope["path"], reason=str(aborted.exceptions[0]))


class SecurityHeadersMiddleware:
    """Adds `SECURITY_HEADERS` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
