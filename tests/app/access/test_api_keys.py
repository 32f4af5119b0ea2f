"""API keys over HTTP: who is let in, what they see, and how much they may ask for."""

from collections.abc import Iterator
from subprocess import CompletedProcess
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.access.api_keys import ApiKeyStore, KeyNameError, Role
from app.jobs.keys import API_KEYS_KEY, RATE_PREFIX
from app.main import build
from app.settings import Settings, SettingsError
from tests.app.conftest import PROBLEM, make_client
from tests.forked import run
from tests.servers import DIGRESS

ADMIN_KEY = "a-key-for-the-first-admin"


@pytest.fixture
def keys(redis: Redis) -> ApiKeyStore:
    return ApiKeyStore(redis)


@pytest.fixture
def guarded(redis_url: str, keys: ApiKeyStore) -> Iterator[TestClient]:
    with make_client(redis_url, admin_key=ADMIN_KEY) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ask(client: TestClient, token: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return client.post("/generate", json={"model": "tiny", **fields}, headers=bearer(token) | (headers or {}))


@pytest.mark.parametrize(
    "headers", [{}, bearer("guessed"), bearer("dg_0123456789ab_" + "x" * 43), {"Authorization": "Basic eDp5"}]
)
def test_without_a_valid_key_nothing_is_told_but_health(guarded: TestClient, headers: dict[str, str]) -> None:
    answers = [
        guarded.post("/generate", json={"model": "tiny"}, headers=headers),
        *(
            guarded.get(path, headers=headers)
            for path in ("/jobs", "/jobs/1", "/jobs/1/graphs", "/jobs/1/events", "/models")
        ),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["Content-Type"] for answer in answers} == {PROBLEM}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    assert guarded.get("/health/live").status_code == 200


def test_a_key_lets_in_until_it_is_revoked(guarded: TestClient, keys: ApiKeyStore) -> None:
    _, token = keys.create("chemistry")

    before = ask(guarded, token)
    keys.revoke("chemistry")
    after = ask(guarded, token)

    assert (before.status_code, after.status_code) == (202, 401)
    assert after.json()["detail"] == "this key is not known, or has been revoked"


def test_a_name_taken_again_is_another_key(guarded: TestClient, keys: ApiKeyStore) -> None:
    _, old = keys.create("chemistry")
    keys.revoke("chemistry")
    _, new = keys.create("chemistry")

    assert (ask(guarded, old).status_code, ask(guarded, new).status_code) == (401, 202)


def test_redis_holds_no_key_that_could_be_used(keys: ApiKeyStore, redis: Redis) -> None:
    _, token = keys.create("chemistry")
    secret = token.split("_", 2)[2]  # which may have more of them

    dump = b"".join(redis.dump(key) or b"" for key in redis.keys("*"))

    assert redis.hexists(API_KEYS_KEY, "chemistry")
    assert secret.encode() not in dump
    assert secret not in str(redis.hgetall(API_KEYS_KEY))


def test_a_key_sees_its_own_jobs_and_an_admin_all(guarded: TestClient, keys: ApiKeyStore) -> None:
    (_, one), (_, other), (_, admin) = keys.create("one"), keys.create("other"), keys.create("boss", role=Role.ADMIN)
    job = ask(guarded, one).json()
    ask(guarded, other)

    def get(path: str, token: str, method: str = "GET") -> Any:
        return guarded.request(method, path, headers=bearer(token))

    mine = [get(f"{job['links']['self']}{part}", one).status_code for part in ("", "/graphs")]
    theirs = [
        get(f"{job['links']['self']}{part}", other).status_code for part in ("", "/graphs", "/events", "/graphs/0")
    ]
    assert mine == [200, 409]
    assert theirs == [404] * 4
    assert get(job["links"]["self"], other, "DELETE").status_code == 404
    assert get(job["links"]["self"], one).json()["status"] == "queued"
    assert [len(get("/jobs", token).json()["jobs"]) for token in (one, other, admin, ADMIN_KEY)] == [1, 1, 2, 2]
    assert get(job["links"]["self"], ADMIN_KEY).status_code == 200


def test_the_same_idempotency_key_of_two_callers_is_two_jobs(guarded: TestClient, keys: ApiKeyStore) -> None:
    tokens = [keys.create(name)[1] for name in ("one", "other")]

    jobs = [ask(guarded, token, {"Idempotency-Key": "1"}).json()["id"] for token in tokens]

    assert jobs[0] != jobs[1]


def test_more_submissions_than_a_key_allows_are_told_when_to_come_back(guarded: TestClient, keys: ApiKeyStore) -> None:
    _, token = keys.create("hasty", rate=3)

    answers = [ask(guarded, token) for _ in range(8)]

    assert [answer.status_code for answer in answers] == 3 * [202] + 5 * [429]
    assert answers[3].json()["detail"] == "the key 'hasty' allows 3 submissions a minute"
    # They count whole until the minute ends, and then less and less: a third of a minute later, two of them.
    assert int(answers[3].headers["Retry-After"]) == 80


def test_the_turn_of_a_minute_gives_no_second_burst(guarded: TestClient, keys: ApiKeyStore, redis: Redis) -> None:
    _, token = keys.create("hasty", rate=3)
    before = [ask(guarded, token) for _ in range(3)]
    (counter,) = redis.keys(f"{RATE_PREFIX}:*")

    redis.pexpire(counter, 59_000)  # the minute has ended a second ago
    at_once = [ask(guarded, token) for _ in range(2)]
    (last_minute,) = redis.keys(f"{RATE_PREFIX}:*/-1")
    redis.pexpire(last_minute, 39_000)  # and now 21 seconds ago
    later = [ask(guarded, token) for _ in range(2)]

    assert [answer.status_code for answer in (*before, *at_once, *later)] == [202, 202, 202, 202, 429, 202, 429]
    assert int(at_once[1].headers["Retry-After"]) <= 20


def test_a_quota_is_spent_by_what_is_accepted_and_by_nothing_else(guarded: TestClient, keys: ApiKeyStore) -> None:
    _, token = keys.create("small", quota=10)

    statuses = [
        ask(guarded, token, num_graphs=11).status_code,
        ask(guarded, token, num_graphs=6, num_nodes=1000).status_code,
        ask(guarded, token, {"Idempotency-Key": "1"}, num_graphs=6).status_code,
        ask(guarded, token, {"Idempotency-Key": "1"}, num_graphs=6).status_code,
        ask(guarded, token, num_graphs=4).status_code,
    ]
    last = ask(guarded, token)

    assert statuses == [422, 422, 202, 202, 202]
    assert last.status_code == 429
    assert last.json()["detail"] == "the key 'small' allows 10 graphs a day, and 10 are spent"
    assert 0 < int(last.headers["Retry-After"]) <= 86_400


@pytest.mark.parametrize("name", ["", "a b", "../x", "ä", "x" * 51])
def test_a_name_that_is_none_is_refused(keys: ApiKeyStore, name: str) -> None:
    with pytest.raises(KeyNameError, match="is no name for a key"):
        keys.create(name)


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


def test_no_secret_is_in_an_error_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.settings import read_settings

    monkeypatch.setenv("DIGRESS_ADMIN_KEY", "tooshort")

    with pytest.raises(SettingsError, match="DIGRESS_ADMIN_KEY") as error:
        read_settings()
    assert "tooshort" not in str(error.value)
    assert "a-key" not in repr(Settings(admin_key=ADMIN_KEY))  # type: ignore[arg-type]
