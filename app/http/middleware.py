"""What happens around every request: it has an id, is counted and logged, and its answer says how browsers shall treat it."""

import re
import time
import uuid

import structlog
from anyio import BrokenResourceError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.errors import SECURITY_HEADERS, CutOff
from app.http.telemetry import ApiMetrics
from app.http.tracing import describe_request

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Asked for every few seconds by machines that only want to know whether all is well.
_QUIET = ("/health/", "/metrics")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_log = structlog.get_logger(__name__)


def is_quiet(scope: Scope) -> bool:
    """Whether only a machine asks, and too often to be told of."""
    return str(scope["path"]).startswith(_QUIET)


class ObserveRequests:
    """Counts requests by route, logs them, and gives each an id: that of `X-Request-ID`, or a new one, which the answer has too."""

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
        # The path as the route has it, since the path that was asked for holds ids.
        route = getattr(scope.get("route"), "path", "unmatched")
        # A method is whatever the client says; a label must not be.
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self.metrics.requests.labels(method, route, status).inc()
        self.metrics.durations.labels(method, route).observe(seconds)
        write = _log.debug if is_quiet(scope) else _log.info
        write("request", method=method, path=scope["path"], status=status, seconds=round(seconds, 4))


class LetGo:
    """Lets answers go that cannot be ended; they are no fault of the API's.

    A client leaves a stream of events while some are on their way (the framework raises then: fastapi, discussion 15725), or
    a file that is being sent cannot be read to its end: the server closes the connection when the application returns early.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except* BrokenResourceError:
            _log.debug("a client is gone", path=scope["path"])
        except* CutOff as cuts:
            _log.warning("an answer is cut off", path=scope["path"], reason=str(cuts.exceptions[0]))


class SecurityHeaders:
    """Tells browsers to take nothing for what it is not, to show nothing of this in frames, and to keep no results."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    # The pages that explain the API bring scripts from elsewhere; nothing else here is a page with scripts.
                    if name != "Content-Security-Policy" or not scope["path"].startswith(("/docs", "/redoc")):
                        headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
