from typing import Any

from fastapi.testclient import TestClient

from app.access.api_keys import ApiKeyStore, Role
from tests.app.conftest import ADMIN_KEY, ask, bearer


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
