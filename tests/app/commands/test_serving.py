import os
import subprocess

import pytest

from app.commands.supervisor import free_port
from tests.forked import digress
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


def test_a_host_that_is_none_is_named() -> None:
    done = digress("serve", DIGRESS_HOST="no such host")

    assert done.returncode == 1
    assert "cannot listen on no such host:8000" in done.stderr
    assert "DIGRESS_HOST" in done.stderr
    assert "Traceback" not in done.stderr
