from pathlib import Path

import pytest

from app.commands.embedded_redis import redis_url
from app.settings import Settings, SettingsError, read_settings
from tests.app.conftest import ADMIN_KEY
from tests.forked import digress


def test_no_secret_is_in_an_error_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_ADMIN_KEY", "tooshort")

    with pytest.raises(SettingsError, match="DIGRESS_ADMIN_KEY") as error:
        read_settings()
    assert "tooshort" not in str(error.value)
    assert "a-key" not in repr(Settings(admin_key=ADMIN_KEY))  # type: ignore[arg-type]


def test_a_bad_setting_is_named_as_the_user_knows_it() -> None:
    done = digress("models", DIGRESS_PORT="eighty")

    assert done.returncode == 1
    assert "DIGRESS_PORT" in done.stderr


@pytest.mark.parametrize(
    ("host", "is_public"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("a.org", True),
    ],
)
def test_an_address_is_public_unless_only_this_machine_can_reach_it(host: str, is_public: bool) -> None:
    assert Settings(host=host).is_public == is_public


def test_a_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_REDIS_URL", "")

    with pytest.raises(SettingsError, match="DIGRESS_REDIS_URL is not set"):
        read_settings().require_redis_url()


def test_a_bad_value_is_repeated_but_not_where_it_may_hold_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_PORT", "0")
    monkeypatch.setenv("DIGRESS_REDIS_URL", "http://:password@host")

    with pytest.raises(SettingsError) as error:
        read_settings()

    assert "DIGRESS_PORT: Input should be greater than or equal to 1, not '0'" in str(error.value)
    assert "DIGRESS_REDIS_URL" in str(error.value)
    assert "password" not in str(error.value)


@pytest.mark.parametrize("path", ["/run/redis/redis.sock", "/run/a folder/redis.sock"])
def test_a_redis_may_be_named_by_its_socket(path: str) -> None:
    url = Settings.model_validate({"redis_url": f"unix://{path}?db=0"}).require_redis_url()

    assert url == redis_url(Path(path).parent)


@pytest.mark.parametrize("url", ["unix://run/redis.sock", "unix:redis.sock", "unix://"])
def test_a_socket_without_its_whole_path_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_REDIS_URL", url)

    with pytest.raises(SettingsError, match="DIGRESS_REDIS_URL"):
        read_settings()
