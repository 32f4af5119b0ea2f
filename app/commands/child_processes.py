"""The processes that `digress serve` consists of: started one by one, watched, and stopped in order."""

import subprocess
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from app.commands.console import CommandError

START_SECONDS = 60


class ChildProcesses:
    """The processes of the service, by name."""

    def __init__(self, stop: threading.Event) -> None:
        """`stop` ends every wait."""
        self.stop = stop
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, command: list[str], environment: dict[str, str], output: BinaryIO | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process; without `output` it writes where this process does."""
        # In a session of its own, a child is not reached by the terminal's Ctrl-C before its turn.
        self._processes[name] = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )
        return self._processes[name]

    def wait_until(self, done: Callable[[], bool], what: str, details: Callable[[], str] = lambda: "") -> None:
        """Wait for something that happens while the processes start.

        Raises:
            CommandError: if a process ends, with its `details`; or if it takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.stop.is_set() and not done():
            if ended := self._ended():
                raise CommandError(f"{ended} while starting{details()}")
            if time.monotonic() > deadline:
                raise CommandError(f"timed out after {START_SECONDS} s, waiting for {what}")
            self.stop.wait(0.1)

    def wait_for_end(self) -> str | None:
        """Which process ended by itself, and how; None if asked to stop before one does."""
        while not self.stop.wait(0.2):
            if ended := self._ended():
                return ended
        return None

    def stop_all(self, seconds: float) -> None:
        """Stop everything, Redis last; what has not ended after so many seconds is killed."""
        _stop([process for name, process in self._processes.items() if name != "redis"], seconds)
        _stop([process for name, process in self._processes.items() if name == "redis"], seconds)

    def _ended(self) -> str | None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                return f"{name} ended with status {process.returncode}"
        return None


def _stop(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    for process in processes:
        process.terminate()  # does nothing to one that has ended
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
