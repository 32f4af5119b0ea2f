"""Everything that can go wrong for a caller, each with its status, and how it is said (RFC 9457)."""

import json
import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from app.schemas import ConditionalRequest, FieldProblem, GenerateRequest, GraphFilter, Problem

# What every answer tells browsers: to take nothing for what it is not, to show nothing of this in frames, and to keep no results.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
MEDIA_TYPE = "application/problem+json"
_LONGEST_ECHO = 60
_log = structlog.get_logger(__name__)


class ServiceError(Exception):
    """An error whose words are for the caller."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, detail: str, errors: Sequence[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.detail, self.errors = detail, list(errors)

    def problem(self) -> Problem:
        """The document that says so."""
        return _problem(self.status, self.detail, self.errors)


class InvalidRequest(ServiceError):
    """A request that the model it names cannot fulfil."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}", [FieldProblem(field=field, detail=detail)])


class BadHeader(ServiceError):
    """A header that does not say what it should."""

    status = HTTPStatus.BAD_REQUEST


class NotFound(ServiceError):
    """No such job or model."""

    status = HTTPStatus.NOT_FOUND


class NotAcceptable(ServiceError):
    """A graph in a form that it does not have."""

    status = HTTPStatus.NOT_ACCEPTABLE


class NotReady(ServiceError):
    """Something that there will be once a job has ended."""

    status = HTTPStatus.CONFLICT


class KeyReused(ServiceError):
    """An idempotency key that stands for another request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unauthorized(ServiceError):
    """No key, or one that is not valid."""

    status = HTTPStatus.UNAUTHORIZED
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class Forbidden(ServiceError):
    """Something that the caller's key does not allow."""

    status = HTTPStatus.FORBIDDEN


class TryLater(ServiceError):
    """Something that is possible again after a while; `reason` is for the metrics."""

    reason = "unknown"

    def __init__(self, detail: str, *, retry_after: float = 30.0) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(math.ceil(retry_after))}


class QueueFull(TryLater):
    """No more jobs may wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    reason = "queue_full"


class TooManyRequests(TryLater):
    """More than the caller's key allows, in a minute ("rate") or on a day ("quota")."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, *, retry_after: float, reason: Literal["rate", "quota"]) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.reason = reason


class BodyTooLarge(ServiceError):
    """A body beyond the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTooSlow(ServiceError):
    """A body that does not arrive."""

    status = HTTPStatus.REQUEST_TIMEOUT


class QueueUnavailable(ServiceError):
    """Redis does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "2"})


class CutOff(Exception):
    """An answer has begun and cannot be ended. Its connection is closed, which tells the client so; no status can any more."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says in OpenAPI about the errors it answers; 401 where keys are needed."""
    named = (HTTPStatus(code) for code in sorted({401, *statuses}))
    return {
        status.value: {"$ref": f"#/components/responses/Problem{status}", "description": status.phrase}
        for status in named
    }


def respond(error: ServiceError) -> Response:
    """The response for an error."""
    return _response(error.problem(), error.headers)


def install_handlers(app: FastAPI) -> None:
    """Answer every error with application/problem+json."""

    @app.exception_handler(ServiceError)
    async def service_error(request: Request, error: ServiceError) -> Response:
        if isinstance(error, TryLater):
            request.app.state.metrics.rejected.labels(error.reason).inc()
        return respond(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return _response(_validation_problem(error))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        detail, headers = str(error.detail), dict(error.headers or {})
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"there is nothing at {request.url.path}; see /docs"
        elif error.status_code == HTTPStatus.BAD_REQUEST:
            detail = "the body is not JSON that can be read"
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"{request.url.path} does not take {request.method}; see /docs"
            headers |= _allowed(request)
        return _response(_problem(HTTPStatus(error.status_code), detail), headers)

    @app.exception_handler(RedisError)
    async def redis_error(_: Request, error: RedisError) -> Response:
        _log.error("redis is unavailable", error=str(error))
        return respond(QueueUnavailable("the queue cannot be reached; try again in a moment"))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        request_id = request.state.request_id
        _log.error("unexpected error", path=request.url.path, request_id=request_id, exc_info=error)
        problem = ServiceError("the service failed in a way it did not foresee; the fault is logged").problem()
        # Made outside the middleware, which therefore adds none.
        return _response(problem, SECURITY_HEADERS | {"X-Request-ID": request_id})


def _allowed(request: Request) -> dict[str, str]:
    """The header Allow, of all routes that have the path asked for; the framework tells of the first one only."""
    path = getattr(request.scope.get("route"), "path", None)
    methods = request.app.openapi()["paths"].get(path, {})
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))} if methods else {}


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    # The caller's words in it may hold half of a surrogate pair, which cannot be encoded.
    content = json.dumps(problem.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    return Response(content.encode(errors="replace"), problem.status, headers, media_type=MEDIA_TYPE)


def _validation_problem(error: RequestValidationError) -> Problem:
    mistakes = error.errors()
    if mistakes[0]["type"] == "json_invalid":
        reason = mistakes[0].get("ctx", {}).get("error", "syntax error")
        return _problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {reason}")
    if isinstance(mistakes[0].get("input"), bytes):
        return _problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON, with the header 'content-type: application/json'"
        )
    fields = [field_problem({**mistake, "loc": mistake["loc"][1:]}) for mistake in mistakes]  # less "body"
    return _problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(f"{field.field}: {field.detail}" for field in fields), fields
    )


def _problem(status: HTTPStatus, detail: str, errors: Sequence[FieldProblem] = ()) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail, errors=list(errors))


def field_problem(mistake: Mapping[str, Any]) -> FieldProblem:
    """A mistake that Pydantic found, in the caller's terms: ("num_nodes", "[range]", "min") is num_nodes.min."""
    names = [str(part) for part in mistake["loc"] if not str(part).startswith("[")]
    return FieldProblem(field=".".join(names) or "body", detail=_detail(mistake))


def _detail(mistake: Mapping[str, Any]) -> str:
    message = str(mistake["msg"]).removeprefix("Value error, ")
    given = mistake.get("input")
    if mistake["type"] == "extra_forbidden":
        return _unknown_field(str(mistake["loc"][-1]))
    if mistake["type"] == "too_short" and isinstance(given, dict):
        return "give at least one"
    if mistake["type"] == "missing" or isinstance(given, dict | list):
        return message
    return f"{message}, not {shorten(json.dumps(given, ensure_ascii=False, default=str))}"


def _unknown_field(name: str) -> str:
    if name in ConditionalRequest.model_fields and name not in GenerateRequest.model_fields:
        return "there is no such field here; /generate/conditional has it"
    alike = get_close_matches(name[:_LONGEST_ECHO], [*ConditionalRequest.model_fields, *GraphFilter.model_fields], n=1)
    meant = f"did you mean {alike[0]!r}? " if alike else ""
    return f"there is no such field; {meant}see /docs for those there are"


def shorten(text: str) -> str:
    """A caller's words, short enough to be said back."""
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"
