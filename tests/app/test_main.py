import subprocess
import sys
from typing import Any

import pytest
from redis import Redis

from app.access.api_keys import ApiKeyStore
from app.main import build
from app.settings import Settings, SettingsError
from tests.app.conftest import ADMIN_KEY


def test_the_api_process_needs_neither_torch_nor_rdkit(redis_url: str) -> None:
    code = (
        "import sys, app.cli; from app.main import build; build();"
        "sys.exit(' '.join({'torch', 'rdkit', 'numpy', 'lightning'} & set(sys.modules)) or None)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env={"DIGRESS_REDIS_URL": redis_url}, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_building_without_redis_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGRESS_REDIS_URL", raising=False)

    with pytest.raises(ValueError, match="DIGRESS_REDIS_URL is not set"):
        build()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "api.example.org"])
def test_a_public_address_is_refused_unless_told_so(redis_url: str, redis: Redis, host: str) -> None:
    def start(**settings: Any) -> None:
        build(Settings.model_validate({"redis_url": redis_url, "host": host, **settings}))

    with pytest.raises(SettingsError, match="DIGRESS_AUTH=keys"):
        start()
    with pytest.raises(SettingsError, match="there is no key"):
        start(auth="keys")
    start(auth="off")
    start(auth="keys", admin_key=ADMIN_KEY)
    ApiKeyStore(redis).create("one")
    start(auth="keys")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_private_address_needs_no_keys(redis_url: str, host: str) -> None:
    assert build(Settings.model_validate({"redis_url": redis_url, "host": host})).state.authenticator is None
