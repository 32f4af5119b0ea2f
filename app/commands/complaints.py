"""What a user can mend, said on standard error in one line."""

from importlib.util import find_spec

from rich.console import Console

console = Console(stderr=True)


class CommandError(Exception):
    """Something the user can mend; the message says how."""


def require(module: str, extra: str) -> None:
    """Make sure that what an extra brings is there.

    Raises:
        CommandError: if it is not.
    """
    if find_spec(module) is None:
        raise CommandError(
            f"this needs the extra '{extra}'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[{extra}]'"
        )
