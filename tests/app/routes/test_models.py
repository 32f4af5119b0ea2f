from fastapi.testclient import TestClient

from app.access.api_keys import ApiKeyStore
from tests.app.conftest import PROBLEM, bearer
from tests.conftest import make_card


def test_models_are_listed_by_their_cards(client: TestClient) -> None:
    listed, single = client.get("/models"), client.get("/models/tiny")

    assert listed.json() == [single.json()]
    assert single.json()["node_types"] == make_card().node_types


def test_a_part_is_chosen_by_anybody_with_a_key(guarded: TestClient, keys: ApiKeyStore) -> None:
    body = {"smiles": "CCO", "keep": [0, 1]}
    _, token = keys.create("chemistry")

    refused = guarded.post("/models/tiny/parts", json=body)
    found = guarded.post("/models/tiny/parts", json=body, headers=bearer(token))

    assert refused.status_code == 401
    assert found.json()["smiles"] == "*CC"
    assert found.json()["svg"].startswith("<?xml")


def test_what_is_no_part_is_refused_in_the_words_of_a_request(client: TestClient) -> None:
    wrong = {"smiles": "C1CC"}

    found = client.post("/models/tiny/parts", json=wrong)
    asked = client.post("/generate", json={"model": "tiny", "given": wrong})

    assert found.status_code == asked.status_code == 422
    assert found.headers["Content-Type"] == PROBLEM
    assert found.json()["errors"] == [{"field": "smiles", "detail": asked.json()["errors"][0]["detail"]}]
    assert client.post("/models/none/parts", json=wrong).status_code == 404
    assert (
        client.post("/models/tiny/parts", json={})
        .json()["detail"]
        .endswith("give it as smiles or as graph, one of both")
    )


def test_numbers_of_a_part_may_be_written_with_a_point(client: TestClient) -> None:
    body = {"smiles": "CCO", "keep": [0.0, 1], "size": 200.0}

    assert client.post("/models/tiny/parts", json=body).json()["smiles"] == "*CC"
