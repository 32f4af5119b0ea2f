"""Real servers for tests: a Valkey, and the whole stack, each on free ports and gone afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import redis

from app.commands.embedded_redis import find_redis_server, redis_command, redis_url
from app.commands.supervisor import free_port
from models.card.folder import shipped_checkpoints

DIGRESS = str(Path(sys.executable).parent / "digress")


@contextmanager
def running(
    command: list[str], environment: dict[str, str], log: Path, *, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed in the end, its words in `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=variables(environment),
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process finds in its environment."""
    # One thread: the tests, the API and the worker share two cores.
    found = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default", **environment}
    if not environment.get("DIGRESS_REDIS_URL"):
        found.pop("DIGRESS_REDIS_URL", None)
    return found


@contextmanager
def valkey(folder: Path, *, port: int | None = None, options: Sequence[str] = ()) -> Iterator[str]:
    """The URL of a fresh Valkey, or of one that has the files of an earlier one.

    It listens on a socket in the folder; and on a port, if that is given, for what cannot use a socket.
    """
    folder.chmod(0o700)
    at_port = ["--bind", "127.0.0.1", "--port", str(port)] if port else []  # later options win
    command = [*redis_command(find_redis_server(), folder), *at_port, *options]
    url = f"redis://127.0.0.1:{port}/0" if port else redis_url(folder)
    with running(command, {}, folder / "valkey.log"):
        client = redis.Redis.from_url(url)
        wait_until(lambda: answers(client), seconds=10)
        client.close()
        yield url


@contextmanager
def stack(
    folder: Path, environment: dict[str, str] | None = None
) -> Iterator[tuple[httpx2.Client, subprocess.Popen[bytes]]]:
    """`digress serve`, started in `folder` and ready, and a client for it."""
    port = free_port()
    environment = {"DIGRESS_PORT": str(port)} | (environment or {})
    log = folder / "serve.log"
    with running([DIGRESS, "serve"], environment, log, cwd=folder) as process:

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            return "ready:" in log.read_text()

        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=70) as client:
                wait_until(ready, seconds=60)
                yield client, process
        finally:
            # Killed, it would leave its children behind.
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(30)


def only(folder: Path, *names: str) -> dict[str, str]:
    """The setting for a service of these shipped models, which is ready sooner than one of all of them."""
    for name in names:
        shutil.copytree(shipped_checkpoints() / name, folder / "checkpoints" / name)
    return {"DIGRESS_CHECKPOINTS": str(folder / "checkpoints")}


def children_of(pid: int) -> list[int]:
    """Process ids of the children of a process, in the order of starting."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return sorted(map(int, children.split()))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
        return False


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Poll until `condition()` is true.

    Raises:
        TimeoutError: if that takes too long.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timed out after {seconds} s")
        time.sleep(0.05)
