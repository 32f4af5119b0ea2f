"""Messages on standard error, one line each, and exit statuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from importlib.util import find_spec

from rich.console import Console

from app.jobs.observability.escaping import visible

console = Console(stderr=True)


class ExitStatus(IntEnum):
    """Why `digress sample` or `digress generate` did not succeed; 2, wrong usage, is Typer's own."""

    ERROR = 1
    JOB_NOT_SUCCEEDED = 3
    TOO_FEW_GRAPHS = 4
    INTERRUPTED = 130


class CommandError(Exception):
    """An error that the user can fix; the message says how."""


def print_note(message: str) -> None:
    """Print what the user may need later."""
    _print(message, "dim")


def print_warning(message: str) -> None:
    """Print what the user should know, although the command continues or has finished."""
    _print(message, "yellow")


def print_error(message: str) -> None:
    """Print why the command fails."""
    _print(message, "red")


def _print(message: str, style: str) -> None:
    # A server's message is anybody's text.
    shown = visible(message, keep="\n")
    console.print(f"digress: {shown}", style=style, highlight=False, soft_wrap=True, markup=False)


@contextmanager
def as_command_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds are reported in one line, without a traceback.

    Raises:
        CommandError: instead of each of them.
    """
    try:
        yield
    except kinds as error:
        raise CommandError(str(error)) from error


def require_extra(extra: str, *modules: str) -> None:
    """Make sure that the packages of an extra are installed.

    Raises:
        CommandError: if one of its modules is missing.
    """
    if any(find_spec(module) is None for module in modules):
        raise CommandError(
            f"this needs the extra '{extra}'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[{extra}]'"
        )
