"""Processes of ours that need not import what they run: forked off a server that has.

Importing torch takes a process seconds, Lightning more, and the tests start a hundred of them. A forked one runs the same
`__main__` with an environment, a folder, a session and an output of its own; it is signalled, killed and waited for like any other.
Still started as users start them: every service of `tests.servers.stack` and `tests/docker`, and each command once in its tests.
"""

import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from tests.servers import DIGRESS, variables

WORKER = [sys.executable, "-m", "worker"]
_IMPORTED = [
    *("tests.forked", "app.cli", "app.main", "uvicorn", "worker.rq_worker", "worker.results.selection"),
    *("models.evaluation.guidance", "models.evaluation.plot", "models.evaluation.report"),
    *("models.training.plan", "models.training.run"),
]
_context = get_context("forkserver")
_context.set_forkserver_preload(_IMPORTED)


class Forked:
    """A process, as `subprocess.Popen` has it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path, cwd: Path | None
    ) -> None:
        what = (list(command), variables(environment), str(output), str(errors), str(cwd or Path.cwd()))
        self._process = _context.Process(target=_become, args=what)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def _become(command: list[str], environment: dict[str, str], output: str, errors: str, cwd: str) -> None:
    os.setsid()
    for descriptor, path in ((1, output), (2, errors)):
        with Path(path).open("ab") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    if command[:2] == [sys.executable, "-m"]:
        sys.argv = command[2:]
        runpy.run_module(command[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


@contextmanager
def forked(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, cwd: Path | None = None
) -> Iterator[Forked]:
    """As `tests.servers.running`: a process that is killed in the end, its words in `log`."""
    log.touch()
    process = Forked(command, environment, log, log, cwd)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run`: what a process has printed, once it has ended."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        status = Forked(command, environment or {}, output, errors, cwd).wait()
        return subprocess.CompletedProcess(command, status, output.read_text(), errors.read_text())


def digress(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the command `digress` has printed on a wide terminal, once it has ended."""
    return run([DIGRESS, *arguments], {"COLUMNS": "200", **environment}, cwd=cwd)
