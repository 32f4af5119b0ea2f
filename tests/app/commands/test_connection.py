import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.commands.connection import Connection, RetryLimits
from app.commands.console import CommandError
from app.commands.supervisor import free_port
from app.http.errors import PROBLEM_MEDIA_TYPE
from app.schemas import Health, Problem

OK = Health(status="ok").model_dump_json()
NO_PATIENCE = RetryLimits(unreachable=0, busy=0)
Answer = tuple[int, dict[str, str], str]


def problem(status: int, **headers: str) -> Answer:
    body = Problem(title="t", status=status, detail="why").model_dump_json()
    return status, {"Content-Type": PROBLEM_MEDIA_TYPE} | {k.replace("_", "-"): v for k, v in headers.items()}, body


@contextmanager
def server(*answers: Answer) -> Iterator[tuple[str, list[str | None]]]:
    """A server that gives these answers, the last one again and again; its address, and the keys that it was shown."""
    left, keys = list(answers), list[str | None]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        log_message: Callable[..., None] = lambda *_: None

    with HTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", keys
        served.shutdown()
        thread.join()


def ask(url: str, *, key: str | None = None, limits: RetryLimits = NO_PATIENCE) -> Health:
    connection = Connection(url, key, limits)
    try:
        return connection.request(Health, "GET", "/health/live")
    finally:
        connection.close()


def test_a_busy_server_is_asked_again_after_the_time_that_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    with server(problem(503, Retry_After="0"), problem(429, Retry_After="1"), (200, {}, OK)) as (url, keys):
        found = ask(url, key="secret", limits=RetryLimits(busy=5))

    assert found.status == "ok"
    assert keys == ["Bearer secret"] * 3
    assert "why; trying again in 1 s" in capsys.readouterr().err


def test_a_server_that_is_busy_for_long_is_given_up_with_its_own_words() -> None:
    with server(problem(503, Retry_After="7")) as (url, _), pytest.raises(CommandError, match="why; try again in 7 s"):
        ask(url)


@pytest.mark.parametrize(
    ("answer", "key", "words"),
    [
        (problem(422), None, "^why$"),
        (problem(401), None, "needs an API key; give one with --api-key"),
        (problem(401), "wrong", "^why; give one with --api-key"),
        ((404, {}, "nothing"), None, "answers 404 .* unlike digress-serve"),
        ((200, {}, "<html>"), None, "answers 200 .* unlike digress-serve"),
    ],
)
def test_a_refusal_is_told_with_what_would_be_right(answer: Answer, key: str | None, words: str) -> None:
    with server(answer) as (url, _), pytest.raises(CommandError, match=words):
        ask(url, key=key)


def test_where_no_server_answers_it_is_said_how_to_start_one() -> None:
    with pytest.raises(CommandError, match="start one with `digress serve`"):
        ask(f"http://127.0.0.1:{free_port()}", limits=RetryLimits())


def test_a_password_in_the_address_is_not_shown() -> None:
    connection = Connection("http://me:secret@127.0.0.1:8000/", None, NO_PATIENCE)

    assert connection.url == "http://127.0.0.1:8000"
    connection.close()


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("localhost", None, "--server takes an address like"),
        ("ftp://x", None, "--server takes an address like"),
        ("http://x", "a b", "characters that no key has"),
        ("http://x", "ä", "characters that no key has"),
    ],
)
def test_an_address_or_a_key_that_is_none_is_refused(url: str, key: str | None, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        Connection(url, key, NO_PATIENCE)
