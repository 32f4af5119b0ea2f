"""Everything that can go wrong for a caller, each error with its HTTP status.

`app.http.error_handlers` turns them into responses.
"""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Literal, Self

from app.schemas import FieldProblem, Problem

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_ECHO = 60


class ServiceError(Exception):
    """An error that the caller is told about."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, detail: str, errors: Sequence[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.detail, self.errors = detail, list(errors)

    def problem(self) -> Problem:
        """The problem document (RFC 9457)."""
        return Problem(title=self.status.phrase, status=self.status, detail=self.detail, errors=self.errors)


class InvalidRequest(ServiceError):
    """The model cannot fulfil this request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}", [FieldProblem(field=field, detail=detail)])


class BadHeader(ServiceError):
    """A header has an invalid value."""

    status = HTTPStatus.BAD_REQUEST


class NotFound(ServiceError):
    """There is no such job, graph or model."""

    status = HTTPStatus.NOT_FOUND


class NotAcceptable(ServiceError):
    """The graph has no representation in this format."""

    status = HTTPStatus.NOT_ACCEPTABLE


class NotReady(ServiceError):
    """The resource is not available yet, or not in its present state."""

    status = HTTPStatus.CONFLICT


class IdempotencyKeyReused(ServiceError):
    """The idempotency key was used with a different request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unauthorized(ServiceError):
    """No API key, or an invalid one."""

    status = HTTPStatus.UNAUTHORIZED
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class Forbidden(ServiceError):
    """The caller's key does not allow this."""

    status = HTTPStatus.FORBIDDEN


class UnknownHost(ServiceError):
    """The request is for a host that is not this service's."""

    status = HTTPStatus.MISDIRECTED_REQUEST


class CrossSite(ServiceError):
    """A page of another host made a browser send the request."""

    status = HTTPStatus.FORBIDDEN


class TryLater(ServiceError):
    """The request may succeed later; `reason` is a label of the metrics."""

    reason = "unknown"

    def __init__(self, detail: str, *, retry_after: float = 30.0) -> None:
        super().__init__(detail)
        self.later(retry_after)

    def later(self, retry_after: float) -> Self:
        """The same error, once it is known when to try again."""
        self.headers = {"Retry-After": str(math.ceil(retry_after))}
        return self


class QueueFull(TryLater):
    """The queue has reached its limit."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    reason = "queue_full"


class StreamsFull(TryLater):
    """As many callers wait for jobs as may."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    reason = "streams"


class OwnerStreamsFull(TryLater):
    """As many callers with this key wait for jobs as may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    reason = "owner_streams"


class TooManyRequests(TryLater):
    """The caller exceeded the limit of its key per minute ("rate") or per day ("quota")."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, *, retry_after: float, reason: Literal["rate", "quota"]) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.reason = reason


class OwnerFull(TryLater):
    """The caller has as many jobs ("owner_jobs") or as much work ("owner_seconds") as one owner may."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(
        self,
        detail: str,
        *,
        reason: Literal["owner_jobs", "owner_seconds"],
        excess: float,
    ) -> None:
        """`excess` is how many seconds of the owner's work have to be done first."""
        super().__init__(detail)
        self.reason, self.excess = reason, excess


class BodyTooLarge(ServiceError):
    """The request body exceeds the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTooSlow(ServiceError):
    """The request body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class QueueUnavailable(ServiceError):
    """Redis does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "2"})


class ResponseAborted(Exception):
    """A response has started and cannot be completed.

    Its status is already sent, so closing the connection is the only way to tell the client.
    """


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


def shorten(text: str, length: int = MAX_ECHO) -> str:
    """A caller's text, short enough to repeat in a message."""
    return text if len(text) <= length else f"{text[:length]}…"
