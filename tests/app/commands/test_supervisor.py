import os
import socket
import subprocess

import pytest

from app.commands.console import CommandError
from app.commands.supervisor import _reachable, _require_free_port, free_port
from tests.servers import DIGRESS


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


@pytest.mark.parametrize(
    ("host", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("api.example.org", "api.example.org")],
)
def test_the_address_that_is_shown_is_one_to_go_to(host: str, reached: str) -> None:
    assert _reachable(host) == reached


def test_a_port_that_is_taken_is_named_with_the_settings_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"cannot listen on 127.0.0.1:{port} .*DIGRESS_PORT or DIGRESS_HOST"):
            _require_free_port("127.0.0.1", port)

    _require_free_port("127.0.0.1", free_port())
