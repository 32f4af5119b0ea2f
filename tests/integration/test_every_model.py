"""Each checkpoint that is shipped, asked for over HTTP with the settings of its card."""

import httpx2
import networkx as nx
import pytest

from models.card.folder import read_cards, shipped_checkpoints
from tests.conftest import ShippedService

CARDS = read_cards(shipped_checkpoints())


@pytest.fixture(scope="module")
def client(shipped_service: ShippedService) -> httpx2.Client:
    return shipped_service.client


def test_six_are_listed_with_how_good_they_were_measured_to_be(client: httpx2.Client) -> None:
    models = {model["name"]: model for model in client.get("/models").json()}

    assert sorted(models) == sorted(CARDS) == ["comm20", "planar", "qm9", "qm9-h", "sbm", "tree"]
    assert all(model["metrics"] for model in models.values())


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.slow
def test_a_graph_of_each_is_drawn(client: httpx2.Client, name: str) -> None:
    card = CARDS[name]

    job = client.post(
        "/generate", json={"model": name, "num_graphs": 1, "seed": 3}, headers={"Prefer": "wait=60"}
    ).json()

    assert job["status"] == "succeeded", job
    (answered,) = job["graphs"]
    graph = nx.node_link_graph(answered, edges="edges")
    assert len(graph) in card.size_distribution
    assert {kind for _, kind in graph.nodes(data="type")} <= set(card.node_types)
    assert {kind for *_, kind in graph.edges(data="type")} < set(card.edge_types)
