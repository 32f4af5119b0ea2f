from subprocess import CompletedProcess

from fastapi.testclient import TestClient
from redis import Redis

from tests.app.conftest import ask
from tests.forked import run
from tests.servers import DIGRESS


def test_the_command_makes_lists_and_revokes_keys(redis_url: str, redis: Redis, guarded: TestClient) -> None:
    def digress(*arguments: str) -> CompletedProcess[str]:
        return run([DIGRESS, "keys", *arguments], {"DIGRESS_REDIS_URL": redis_url, "COLUMNS": "120"})

    token = digress("create", "chemistry", "--rate", "60").stdout.strip()
    listed, twice = digress("list"), digress("create", "chemistry")
    status = ask(guarded, token).status_code
    revoked, missing = digress("revoke", "chemistry"), digress("revoke", "chemistry")

    assert status == 202
    assert "chemistry" in listed.stdout
    assert token not in listed.stdout
    assert twice.returncode == missing.returncode == 1
    assert "there is a key called 'chemistry' already" in twice.stderr
    assert revoked.stdout == "chemistry is revoked\n"
    assert missing.stderr == "digress: there is no key called 'chemistry'\n"
    assert ask(guarded, token).status_code == 401
