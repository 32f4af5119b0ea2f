from fastapi.testclient import TestClient

from app.access.api_keys import ApiKeyStore
from tests.app.conftest import ask


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
