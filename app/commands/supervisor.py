"""`digress serve`: Redis if needed, the API and a worker, started and stopped together.

The API and the worker are stopped together, then Redis. If one of them ends by itself, all are stopped.
"""

import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from app.commands.child_processes import ChildProcesses
from app.commands.console import CommandError
from app.commands.embedded_redis import find_redis_server, private_folder, redis_command, redis_url, socket_path
from app.settings import Settings

# A worker uses every core it is given; the API on the same machine needs little CPU time, but without delay.
WORKER_NICENESS = 5
# Time for a process to end once it has no more jobs.
STOP_SECONDS = 4


def serve(settings: Settings, print_status: Callable[[str], None]) -> int:
    """Run the whole service until SIGINT, SIGTERM or SIGHUP; returns the exit status.

    Raises:
        CommandError: if a process cannot be started.
    """
    # Signal handlers only set a flag that every wait checks: no child can be started without being recorded.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    _require_free_port(settings.host, settings.port)
    _require_redis(settings)
    children = ChildProcesses(stop)
    with private_folder() as folder:
        try:
            _start_all(settings, children, folder, print_status)
            ended = children.wait_for_end()
            if ended is not None:
                print_status(f"{ended}; stopping the rest")
                return 1
            print_status(f"stopping; running jobs have {settings.drain_seconds:g} s to finish")
            return 0
        finally:
            children.stop_all(settings.drain_seconds + STOP_SECONDS)


def _start_all(
    settings: Settings, children: "ChildProcesses", folder: Path, print_status: Callable[[str], None]
) -> None:
    environment = dict(os.environ)
    if settings.redis_url is None:
        environment["DIGRESS_REDIS_URL"] = _start_redis(children, folder)
    # Safe path (-P): an `app` or `worker` in the current folder is not ours.
    worker = children.start("worker", [sys.executable, "-P", "-m", "worker"], environment)
    os.setpriority(os.PRIO_PROCESS, worker.pid, WORKER_NICENESS)
    children.start("api", [sys.executable, "-P", "-m", "app.cli", "api"], environment)
    address = f"http://{_reachable(settings.host)}:{settings.port}"
    children.wait_until(lambda: _is_ready(f"{address}/health/ready"), "the API and a worker to be ready")
    if not children.stop.is_set():
        print_status(
            f"ready: {address}/docs documents the API, {address}/models lists the models; Ctrl-C stops everything"
        )


def _start_redis(children: "ChildProcesses", folder: Path) -> str:
    """Start a Redis whose files are in a folder; returns its URL."""
    program, log = find_redis_server(), folder / "redis.log"
    with log.open("wb") as output:
        children.start("redis", redis_command(program, folder), dict(os.environ), output)
    children.wait_until(
        lambda: _connects(socket_path(folder)),
        f"{program} to answer",
        details=lambda: f":\n{log.read_text(errors='replace')}",
    )
    return redis_url(folder)


def _require_redis(settings: Settings) -> None:
    """Report at once what would otherwise fail after a minute of waiting.

    Raises:
        CommandError: if the Redis of the settings does not answer, or nobody could use the one to be started for lack of a key.
    """
    if settings.redis_url is None:
        if settings.auth == "keys" and settings.admin_key is None:
            raise CommandError(
                "DIGRESS_AUTH is keys, and a Redis that is started here has none: set DIGRESS_ADMIN_KEY, or set DIGRESS_REDIS_URL"
                " to a permanent Redis and make a key with `digress keys create NAME`"
            )
        return
    try:
        with Redis.from_url(settings.require_redis_url(), socket_timeout=5, socket_connect_timeout=5) as redis:
            redis.ping()
    except RedisError as error:
        raise CommandError(f"the Redis of DIGRESS_REDIS_URL cannot be used: {error}") from error


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _require_free_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another DIGRESS_PORT or DIGRESS_HOST"
            ) from error


def free_port() -> int:
    """A free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
