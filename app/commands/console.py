"""What is said on standard error, in one line each, and what the exit status says."""

from enum import IntEnum
from importlib.util import find_spec

from rich.console import Console

console = Console(stderr=True)


class ExitStatus(IntEnum):
    """How `digress sample` and `digress generate` end, if not well; 2, wrong usage, is Typer's own."""

    ERROR = 1
    JOB_ENDED_BADLY = 3
    SHORT = 4
    INTERRUPTED = 130


class CommandError(Exception):
    """Something the user can mend; the message says how."""


def tell(words: str) -> None:
    """Say what the user may want to know later."""
    _say(words, "dim")


def warn(words: str) -> None:
    """Say what the user should know, though the command goes on, or has done its work."""
    _say(words, "yellow")


def complain(words: str) -> None:
    """Say why the command ends."""
    _say(words, "red")


def _say(words: str, style: str) -> None:
    console.print(f"digress: {words}", style=style, highlight=False, soft_wrap=True, markup=False)


def require(module: str, extra: str) -> None:
    """Make sure that what an extra brings is there.

    Raises:
        CommandError: if it is not.
    """
    if find_spec(module) is None:
        raise CommandError(
            f"this needs the extra '{extra}'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[{extra}]'"
        )
