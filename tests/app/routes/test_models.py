from fastapi.testclient import TestClient

from tests.conftest import make_card


def test_models_are_listed_by_their_cards(client: TestClient) -> None:
    listed, single = client.get("/models"), client.get("/models/tiny")

    assert listed.json() == [single.json()]
    assert single.json()["node_types"] == make_card().node_types
