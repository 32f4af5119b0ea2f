from fastapi.testclient import TestClient
from redis import Redis

from app.access.api_keys import ApiKeyStore
from app.jobs.keys import RATE_PREFIX
from tests.app.conftest import ask


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
