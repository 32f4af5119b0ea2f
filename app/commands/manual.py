"""What --help prints of a command: its docstring, and last the examples, a line each, which stay on the screen that way."""

import inspect
import re
import textwrap
from collections.abc import Callable

import typer

_EXAMPLES = "\n\nExamples:\n"


def add_command(app: typer.Typer, command: Callable[..., None], name: str | None = None) -> None:
    """Let `app` have a command, called as its function if it has no `name`."""
    words, _, lines = (inspect.getdoc(command) or "").partition(_EXAMPLES)
    paragraphs = re.sub(r"(?<!\n)\n(?!\n)", " ", words)  # lines are as long as the terminal has room for
    app.command(name, help=paragraphs, epilog=examples(*textwrap.dedent(lines).splitlines()))(command)


def examples(*lines: str) -> str:
    """What the help of a command ends in."""
    return "\n".join(["Examples:", *lines])
