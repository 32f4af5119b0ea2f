import pytest
from fastapi.testclient import TestClient

from app.access.api_keys import ApiKeyStore
from tests.app.conftest import PROBLEM, ask, bearer


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
