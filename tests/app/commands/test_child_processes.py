import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.commands import child_processes
from app.commands.child_processes import ChildProcesses
from app.commands.console import CommandError
from tests.servers import wait_until

SLEEP = ["sleep", "60"]


@pytest.fixture
def children() -> Iterator[ChildProcesses]:
    children = ChildProcesses(threading.Event())
    yield children
    children.stop_all(0)


def test_a_process_that_ends_while_it_starts_is_named_with_its_status(children: ChildProcesses) -> None:
    children.start("worker", SLEEP, {})
    children.start("api", [sys.executable, "-c", "raise SystemExit(3)"], {})

    with pytest.raises(CommandError, match="api ended with status 3 while starting: see the log"):
        children.wait_until(lambda: False, "the API", details=lambda: ": see the log")


def test_what_takes_too_long_to_start_is_said(children: ChildProcesses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_processes, "START_SECONDS", 0)
    children.start("api", SLEEP, {})

    with pytest.raises(CommandError, match="timed out after 0 s, waiting for the API"):
        children.wait_until(lambda: False, "the API")


def test_the_first_process_to_end_is_told_and_none_if_the_service_is_stopped(children: ChildProcesses) -> None:
    children.start("worker", SLEEP, {})
    api = children.start("api", SLEEP, {})

    api.kill()
    ended = children.wait_for_end()
    children.stop.set()

    assert ended == "api ended with status -9"
    assert children.wait_for_end() is None


def test_redis_is_stopped_last_and_who_does_not_end_is_killed(children: ChildProcesses, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = "trap 'echo {0} >> {1}; exit' TERM; echo ready; while true; do sleep 0.05; done"
    deaf = "trap '' TERM; echo ready; while true; do sleep 0.05; done"
    logs = {name: tmp_path / f"{name}.log" for name in ("redis", "api", "worker")}
    for name, log in logs.items():
        with log.open("wb") as output:
            said = deaf if name == "worker" else script.format(name, order)
            children.start(name, ["bash", "-c", said], {"PATH": "/usr/bin:/bin"}, output)
    wait_until(lambda: all(log.read_text() for log in logs.values()), seconds=10)

    children.stop_all(0.5)

    assert order.read_text().split() == ["api", "redis"]
    assert children.wait_for_end() == "redis ended with status 0"
