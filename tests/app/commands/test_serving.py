import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from app.commands.embedded_redis import private_folder, redis_url, socket_path
from app.commands.supervisor import free_port
from app.settings import Settings, SettingsError, read_settings
from tests.conftest import ShippedService
from tests.forked import digress
from tests.servers import DIGRESS, children_of


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


@pytest.mark.parametrize("path", ["/run/redis/redis.sock", "/run/a folder/redis.sock"])
def test_a_redis_may_be_named_by_its_socket(path: str) -> None:
    url = Settings.model_validate({"redis_url": f"unix://{path}?db=0"}).require_redis_url()

    assert url == redis_url(Path(path).parent)


@pytest.mark.parametrize("url", ["unix://run/redis.sock", "unix:redis.sock", "unix://"])
def test_a_socket_without_its_whole_path_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_REDIS_URL", url)

    with pytest.raises(SettingsError, match="DIGRESS_REDIS_URL"):
        read_settings()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DIGRESS_AUTH": "keys"}, "a Redis that is started here has none: set DIGRESS_ADMIN_KEY"),
        ({"DIGRESS_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "the Redis of DIGRESS_REDIS_URL cannot be used: "),
    ],
)
def test_serve_says_at_once_what_it_lacks(environment: dict[str, str], words: str) -> None:
    found = {**os.environ, "DIGRESS_PORT": str(free_port()), **environment}
    done = subprocess.run([DIGRESS, "serve"], env=found, capture_output=True, text=True, check=False, timeout=20)

    assert done.returncode == 1
    assert words in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_host_that_is_none_is_named() -> None:
    done = digress("serve", DIGRESS_HOST="no such host")

    assert done.returncode == 1
    assert "cannot listen on no such host:8000" in done.stderr
    assert "DIGRESS_HOST" in done.stderr
    assert "Traceback" not in done.stderr
