"""API keys over HTTP: who is let in, what they see, and how much they may ask for."""

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.access.api_keys import ApiKeyStore, KeyNameError
from app.jobs.keys import API_KEYS_KEY
from tests.app.conftest import ask


def test_redis_holds_no_key_that_could_be_used(keys: ApiKeyStore, redis: Redis) -> None:
    _, token = keys.create("chemistry")
    secret = token.split("_", 2)[2]  # which may have more of them

    dump = b"".join(redis.dump(key) or b"" for key in redis.keys("*"))

    assert redis.hexists(API_KEYS_KEY, "chemistry")
    assert secret.encode() not in dump
    assert secret not in str(redis.hgetall(API_KEYS_KEY))


def test_the_same_idempotency_key_of_two_callers_is_two_jobs(guarded: TestClient, keys: ApiKeyStore) -> None:
    tokens = [keys.create(name)[1] for name in ("one", "other")]

    jobs = [ask(guarded, token, {"Idempotency-Key": "1"}).json()["id"] for token in tokens]

    assert jobs[0] != jobs[1]


@pytest.mark.parametrize("name", ["", "a b", "../x", "ä", "x" * 51])
def test_a_name_that_is_none_is_refused(keys: ApiKeyStore, name: str) -> None:
    with pytest.raises(KeyNameError, match="is no name for a key"):
        keys.create(name)
