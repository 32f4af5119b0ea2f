"""What others wrote, in logs and messages that a terminal shows."""

import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import structlog
from rich.console import Console

from app.commands import console
from app.commands.models import models
from app.jobs.observability.escaping import visible
from app.jobs.observability.setup import configure_logging
from app.settings import Settings
from models.card.folder import write_card
from tests.conftest import make_card

# Colours, the window's title, a character of C1, a new line of the log, and writing turned around.
HOSTILE = "a\x1b[2J\x1b]0;title\x07\x9b31m\r\n2026-12-01T00:00:00Z [info     ] forged\u202e\u2028b"
SHOWN = "a\\x1b[2J\\x1b]0;title\\x07\\x9b31m\\r\\n2026-12-01T00:00:00Z [info     ] forged\\u202e\\u2028b"


def test_what_is_not_printed_is_written_out() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible("Plain text: ä, 中, 😀") == "Plain text: ä, 中, 😀"
    assert visible("two\nlines\x1b", keep="\n") == "two\nlines\\x1b"
    assert visible("\ud800") == "\\ud800"


@pytest.fixture
def log() -> io.StringIO:
    """What a process writes as its log, in the form for people."""
    return io.StringIO()


def written(log: io.StringIO) -> list[str]:
    text = log.getvalue()
    assert all(one.isprintable() or one == "\n" for one in text), text
    return text.splitlines()


@pytest.fixture
def console_log(log: io.StringIO) -> Iterator[io.StringIO]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with redirect_stderr(log):
        configure_logging(Settings())
    yield log
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


def test_a_line_of_the_log_stays_one_line(console_log: io.StringIO) -> None:
    structlog.get_logger().info("request", path=HOSTILE, error=ValueError(HOSTILE), nested=[HOSTILE], method="GET")
    structlog.get_logger().info(HOSTILE)
    logging.getLogger("library").warning("says %s", HOSTILE)

    lines = written(console_log)
    assert len(lines) == 3
    assert [line.count("\\x1b[2J") for line in lines] == [3, 1, 1]


def test_no_line_of_a_traceback_looks_like_a_line_of_the_log(console_log: io.StringIO) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        structlog.get_logger().exception("unexpected error")
        logging.getLogger("library").exception("theirs")

    lines = written(console_log)
    assert any("ValueError: a\\x1b[2J" in line for line in lines)
    starts = [line for line in lines if line and not line.startswith("    ")]
    assert ["unexpected error" in line or "theirs" in line for line in starts] == [True, True]


def test_a_servers_message_is_shown_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=output))

    console.print_error(HOSTILE)

    assert "\x1b" not in output.getvalue()
    assert "\\x1b[2J" in output.getvalue()


def test_a_cards_description_is_shown_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny").mkdir()
    write_card(
        make_card().model_copy(update={"description": "\x1b]0;t\x07[link=http://evil.example]x[/link]"}),
        tmp_path / "tiny",
    )
    monkeypatch.setenv("DIGRESS_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")

    models()

    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\\x1b]0;t\\x07[link=http://evil.example]x[/link]" in said
