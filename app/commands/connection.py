"""The way to a digress-serve somewhere else: what is lost on it, or put off by the server, is asked for again.

So whatever is asked here must be harmless if it is asked twice.
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
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 8.0
_BUSY = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_NOBODY_THERE = (httpx2.ConnectError, httpx2.ConnectTimeout)
_Result = TypeVar("_Result")
_Said = TypeVar("_Said", bound=BaseModel)


class ServerLost(CommandError):
    """A server that answered before, and does so no more."""


class _Busy(Exception):
    """The server asks to be asked later."""

    def __init__(self, words: str, pause: float | None) -> None:
        super().__init__(words)
        self.pause = pause


@dataclass(frozen=True)
class Patience:
    """Seconds that a server may be out of reach, and that it may put off what it is asked."""

    lost: float = 60.0
    busy: float = 300.0


class Connection:
    """What is asked of one server, with one key."""

    def __init__(self, url: str, api_key: str | None, patience: Patience) -> None:
        """Connects to nothing yet.

        Raises:
            CommandError: if that is no address, or no key.
        """
        self.url = _address(url)
        self._patience, self._has_key, self._was_reached = patience, api_key is not None, False
        self._http = httpx2.Client(base_url=url, headers=_authorization(api_key), timeout=_TIMEOUT)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def ask(self, kind: type[_Said], method: str, path: str, **more: Any) -> _Said:
        """What the server answers, sooner or later.

        Raises:
            CommandError: as `patiently` does, and if the answer is none of digress-serve's.
        """

        def ask() -> httpx2.Response:
            answer = self._http.request(method, path, **more)
            self._check(answer)
            return answer

        answer = self.patiently(ask)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError:
            raise self._stranger(answer) from None

    @contextmanager
    def read(self, path: str, **parameters: str) -> Iterator[Iterator[bytes]]:
        """An answer, piece by piece; for `patiently`."""
        with self._http.stream("GET", path, params=parameters) as answer:
            self._check(answer)
            yield answer.iter_bytes()

    def events(self, path: str, *, after: str, quiet_seconds: float) -> AbstractContextManager[httpx2.EventSource]:
        """Server-sent events after one that was seen; they end by a `ReadTimeout` when it is quiet."""
        headers = {"Last-Event-ID": after} if after else None
        return self._http.sse(path, headers=headers, timeout=httpx2.Timeout(30, connect=10, read=quiet_seconds))

    def patiently(self, attempt: Callable[[], _Result]) -> _Result:
        """What comes of an attempt, which is made again while the server is out of reach or busy.

        Raises:
            ServerLost: if it is away for too long.
            CommandError: if it was never there, is busy for too long, or says that something is wrong.
        """
        started, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except httpx2.RequestError as error:
                if isinstance(error, _NOBODY_THERE) and not self._was_reached:
                    raise CommandError(
                        f"no server answers at {self.url} ({_reason(error)}); start one by `digress serve`, "
                        "or name another one by --server or DIGRESS_SERVER"
                    ) from error
                self._was_reached = True
                words, wait, patience = f"{self.url} is out of reach ({_reason(error)})", pause, self._patience.lost
                failure: CommandError = ServerLost(words)
            except _Busy as busy:
                words, wait, patience = str(busy), busy.pause or pause, self._patience.busy
                failure = CommandError(f"{words}; try again in {wait:g} s")
            if time.monotonic() - started + wait > patience:
                raise failure
            print_warning(f"{words}; trying again in {wait:g} s")
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _check(self, answer: httpx2.Response) -> None:
        """Make sure that an answer is none of an error.

        Raises:
            CommandError: if it is, in the server's words.
        """
        self._was_reached = True
        if answer.is_success:
            return
        answer.read()
        is_ours = answer.headers.get("Content-Type", "").startswith(PROBLEM_MEDIA_TYPE)
        words = (
            Problem.model_validate_json(answer.content).detail if is_ours else f"{self.url} answers {_status(answer)}"
        )
        if answer.status_code in _BUSY:
            raise _Busy(words, _retry_after(answer))
        if not is_ours:
            raise self._stranger(answer)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            words = words if self._has_key else f"{self.url} needs an API key"
            raise CommandError(f"{words}; give one by --api-key or DIGRESS_API_KEY")
        raise CommandError(words)

    def _stranger(self, answer: httpx2.Response) -> CommandError:
        return CommandError(
            f"{self.url} answers {_status(answer)} to {answer.request.method} {answer.request.url.path}, and not as digress-serve does; "
            "is that the address? --server or DIGRESS_SERVER gives another one"
        )


def _address(url: str) -> str:
    """An address as it may be shown: without a password.

    Raises:
        CommandError: if it is none.
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
        raise CommandError("the API key has characters that are in no key")
    return {"Authorization": f"Bearer {api_key}"}


def _retry_after(answer: httpx2.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _status(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.reason_phrase}".rstrip()


def _reason(error: httpx2.RequestError) -> str:
    return str(error) or type(error).__name__
