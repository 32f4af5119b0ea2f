"""Every error as a response with a problem document (RFC 9457): those of `app.http.errors`, and everybody else's."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from app.http.errors import MAX_ECHO, PROBLEM_MEDIA_TYPE, QueueUnavailable, ServiceError, TryLater, shorten
from app.http.middleware import SECURITY_HEADERS
from app.schemas import ConditionalRequest, FieldProblem, GenerateRequest, GraphFilter, Problem

_MAX_MISTAKES = 10
# A message of ours may repeat what it is about.
_MAX_DETAIL = 1_000
_log = structlog.get_logger(__name__)


def error_response(error: ServiceError) -> Response:
    """The response to an error."""
    return _response(error.problem(), error.headers)


def install_handlers(app: FastAPI) -> None:
    """Answer every error with application/problem+json."""

    @app.exception_handler(ServiceError)
    async def service_error(request: Request, error: ServiceError) -> Response:
        if isinstance(error, TryLater):
            request.app.state.metrics.count_refusal(error.reason)
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return _response(_validation_problem(error))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        detail, headers = str(error.detail), dict(error.headers or {})
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"there is nothing at {shorten(request.url.path)}; see /docs"
        elif error.status_code == HTTPStatus.BAD_REQUEST:
            detail = "the body is not JSON that can be decoded"
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"{shorten(request.url.path)} does not accept {shorten(request.method)}; see /docs"
            headers |= _allowed(request)
        return _response(_problem(HTTPStatus(error.status_code), detail), headers)

    @app.exception_handler(RedisError)
    async def redis_error(_: Request, error: RedisError) -> Response:
        _log.error("redis is unavailable", error=str(error))
        return error_response(QueueUnavailable("the queue cannot be reached; try again in a moment"))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        request_id = request.state.request_id
        _log.error("unexpected error", path=request.url.path, request_id=request_id, exc_info=error)
        problem = ServiceError("internal error; the fault is logged").problem()
        # The framework answers this one outside the middleware, which therefore cannot add these headers.
        return _response(problem, SECURITY_HEADERS | {"X-Request-ID": request_id})


def _allowed(request: Request) -> dict[str, str]:
    """The header Allow for all routes of the requested path; the framework considers only the first one."""
    path = getattr(request.scope.get("route"), "path", None)
    methods = request.app.openapi()["paths"].get(path, {})
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))} if methods else {}


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    # It may repeat text of the caller, and half a surrogate pair cannot be encoded.
    content = json.dumps(problem.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    return Response(content.encode(errors="replace"), problem.status, headers, media_type=PROBLEM_MEDIA_TYPE)


def _validation_problem(error: RequestValidationError) -> Problem:
    mistakes = error.errors()
    if mistakes[0]["type"] == "json_invalid":
        reason = mistakes[0].get("ctx", {}).get("error", "syntax error")
        return _problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {reason}")
    if isinstance(mistakes[0].get("input"), bytes):
        return _problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON, with the header 'content-type: application/json'"
        )
    # Less "body", and of thousands only the first: to explain each takes time, in which nobody else is answered.
    fields = [field_problem({**mistake, "loc": mistake["loc"][1:]}) for mistake in mistakes[:_MAX_MISTAKES]]
    detail = "; ".join(f"{field.field}: {field.detail}" for field in fields)
    if len(mistakes) > _MAX_MISTAKES:
        detail += f"; and {len(mistakes) - _MAX_MISTAKES} more mistakes"
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, fields)


def _problem(status: HTTPStatus, detail: str, errors: Sequence[FieldProblem] = ()) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail, errors=list(errors))


def field_problem(mistake: Mapping[str, Any]) -> FieldProblem:
    """An error of Pydantic, named as the caller knows the field: ("num_nodes", "[range]", "min") is num_nodes.min."""
    names = [shorten(str(part)) for part in mistake["loc"] if not str(part).startswith("[")]
    return FieldProblem(field=".".join(names) or "body", detail=shorten(_detail(mistake), _MAX_DETAIL))


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
        return "there is no such field here, but /generate/conditional has it"
    alike = get_close_matches(name[:MAX_ECHO], [*ConditionalRequest.model_fields, *GraphFilter.model_fields], n=1)
    meant = f"did you mean {alike[0]!r}? " if alike else ""
    return f"there is no such field; {meant}see /docs for all fields"
