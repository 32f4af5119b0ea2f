"""HTTP requests to a digress-serve, repeated while it is unreachable or busy.

So every request must be harmless if it is sent twice.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from app.commands.console import CommandError, print_warning
from app.http.errors import PROBLEM_MEDIA_TYPE
from app.schemas import Problem

_TIMEOUT = httpx2.Timeout(30, connect=10)
_FIRST_PAUSE, _MAX_PAUSE = 1.0, 8.0
_BUSY = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_CONNECT_ERRORS = (httpx2.ConnectError, httpx2.ConnectTimeout)
_Result = TypeVar("_Result")
_Answer = TypeVar("_Answer", bound=BaseModel)


class ServerLost(CommandError):
    """A server that answered before does not answer any more."""


class _Busy(Exception):
    """The server is too busy and asks the client to try later."""

    def __init__(self, message: str, pause: float | None) -> None:
        super().__init__(message)
        self.pause = pause


@dataclass(frozen=True)
class RetryLimits:
    """For how many seconds requests are repeated while the server is unreachable, and while it is busy."""

    unreachable: float = 60.0
    busy: float = 300.0


class Connection:
    """Requests to one server, with one API key."""

    def __init__(self, url: str, api_key: str | None, limits: RetryLimits) -> None:
        """Does not connect yet.

        Raises:
            CommandError: if the URL or the key is invalid.
        """
        self.url = _displayed_url(url)
        self._limits, self._has_key, self._was_reached = limits, api_key is not None, False
        self._http = httpx2.Client(base_url=url, headers=_authorization(api_key), timeout=_TIMEOUT)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(self, kind: type[_Answer], method: str, path: str, **options: Any) -> _Answer:
        """The server's answer.

        Raises:
            CommandError: as `with_retries` does, and if the answer is not one of digress-serve.
        """

        def send() -> httpx2.Response:
            answer = self._http.request(method, path, **options)
            self._check(answer)
            return answer

        answer = self.with_retries(send)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError:
            raise self._not_digress(answer) from None

    @contextmanager
    def read(self, path: str, **parameters: str) -> Iterator[Iterator[bytes]]:
        """An answer in chunks; call it within `with_retries`."""
        with self._http.stream("GET", path, params=parameters) as answer:
            self._check(answer)
            yield answer.iter_bytes()

    def events(self, path: str, *, after: str, timeout_seconds: float) -> AbstractContextManager[httpx2.EventSource]:
        """Server-sent events after the one with the id `after`; raises `ReadTimeout` if none arrives in time."""
        headers = {"Last-Event-ID": after} if after else None
        return self._http.sse(path, headers=headers, timeout=httpx2.Timeout(30, connect=10, read=timeout_seconds))

    def with_retries(self, attempt: Callable[[], _Result]) -> _Result:
        """The result of an attempt, repeated while the server is unreachable or busy.

        Raises:
            ServerLost: if the server is unreachable for too long.
            CommandError: if it never answered, is busy for too long, or refuses the request.
        """
        started, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except httpx2.RequestError as error:
                if isinstance(error, _CONNECT_ERRORS) and not self._was_reached:
                    raise CommandError(
                        f"no server answers at {self.url} ({_reason(error)}); start one with `digress serve`, "
                        "or choose another one with --server or DIGRESS_SERVER"
                    ) from error
                self._was_reached = True
                message, wait, limit = f"{self.url} is unreachable ({_reason(error)})", pause, self._limits.unreachable
                failure: CommandError = ServerLost(message)
            except _Busy as busy:
                message, wait, limit = str(busy), busy.pause or pause, self._limits.busy
                failure = CommandError(f"{message}; try again in {wait:g} s")
            if time.monotonic() - started + wait > limit:
                raise failure
            print_warning(f"{message}; trying again in {wait:g} s")
            time.sleep(wait)
            pause = min(2 * pause, _MAX_PAUSE)

    def _check(self, answer: httpx2.Response) -> None:
        """Make sure that an answer is a success.

        Raises:
            _Busy: if the server asks the client to try later.
            CommandError: if the answer is an error, with the server's message.
        """
        self._was_reached = True
        if answer.is_success:
            return
        answer.read()
        is_ours = answer.headers.get("Content-Type", "").startswith(PROBLEM_MEDIA_TYPE)
        message = (
            Problem.model_validate_json(answer.content).detail if is_ours else f"{self.url} answers {_status(answer)}"
        )
        if answer.status_code in _BUSY:
            raise _Busy(message, _retry_after(answer))
        if not is_ours:
            raise self._not_digress(answer)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            message = message if self._has_key else f"{self.url} needs an API key"
            raise CommandError(f"{message}; give one with --api-key or DIGRESS_API_KEY")
        raise CommandError(message)

    def _not_digress(self, answer: httpx2.Response) -> CommandError:
        return CommandError(
            f"{self.url} answers {_status(answer)} to {answer.request.method} {answer.request.url.path}, unlike digress-serve; "
            "check the address: --server or DIGRESS_SERVER"
        )


def _displayed_url(url: str) -> str:
    """A URL as it may be shown: without a password.

    Raises:
        CommandError: if it is invalid.
    """
    with suppress(httpx2.InvalidURL):
        parsed = httpx2.URL(url)
        if parsed.scheme in {"http", "https"} and parsed.host:
            return str(parsed.copy_with(userinfo=b"")).rstrip("/")
    raise CommandError(f"--server takes an address like http://127.0.0.1:8000, not {url!r}")


def _authorization(api_key: str | None) -> dict[str, str]:
    if api_key is None:
        return {}
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise CommandError("the API key contains characters that no key has")
    return {"Authorization": f"Bearer {api_key}"}


def _retry_after(answer: httpx2.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _status(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.reason_phrase}".rstrip()


def _reason(error: httpx2.RequestError) -> str:
    return str(error) or type(error).__name__
