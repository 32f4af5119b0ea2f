from typing import Any

import networkx as nx
import pytest

from models.given.node_link import part_of_node_link
from models.given.partial import GivenError

ATOMS, BONDS = ["C", "N"], ["none", "single", "double"]


def test_what_is_named_is_given_and_other_pairs_are_apart() -> None:
    graph = {
        "nodes": [{"id": "a", "type": "N"}, {"id": "b"}, {"id": 3, "type": None}],
        "edges": [{"source": 3, "target": "a", "type": "double"}],
    }

    part = part_of_node_link(graph, ATOMS, BONDS)

    assert part.nodes == (1, None, None)
    assert part.pairs == {(0, 1): 0, (0, 2): 2, (1, 2): 0}


def test_pairs_may_be_left_open_and_kept_apart() -> None:
    nodes = [{"id": i, "closed": i == 2} for i in range(3)]
    edges = [{"source": 0, "target": 1, "type": "none"}, {"source": 1, "target": 2, "open": True}]

    one_open = part_of_node_link({"nodes": nodes, "edges": edges}, ATOMS, BONDS)
    all_open = part_of_node_link({"nodes": nodes, "edges": edges, "open": True}, ATOMS, BONDS)

    assert one_open.pairs == {(0, 1): 0, (0, 2): 0}
    assert all_open.pairs == {(0, 1): 0}
    assert one_open.closed == {2}


def test_networkx_writes_what_is_read() -> None:
    graph = nx.node_link_data(nx.path_graph(5), edges="edges")

    part = part_of_node_link(graph, ["node"], ["none", "edge"])

    assert sorted(pair for pair, category in part.pairs.items() if category) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert part.nodes == (None,) * 5


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({}, "no nodes"),
        ({"directed": True, "nodes": [{"id": 0}]}, "undirected"),
        ({"nodes": 3}, "list of objects"),
        ({"nodes": [3]}, "list of objects"),
        ({"nodes": [{}]}, "has no id"),
        ({"nodes": [{"id": []}]}, "has no id"),
        ({"nodes": [{"id": 1}, {"id": 1}]}, "two nodes have the id 1"),
        ({"nodes": [{"id": 1, "type": "S"}]}, "no node type 'S'; it has C, N"),
        ({"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 2}]}, "edge 0 joins 2"),
        ({"nodes": [{"id": 1}], "edges": [{"source": 1, "target": {}}]}, "which is no node's id"),
        ({"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 1}]}, "with itself"),
        ({"nodes": [{"id": 1}, {"id": 2}], "edges": [{"source": 1, "target": 2}]}, "the model has none, single"),
    ],
)
def test_what_is_no_part_is_refused_in_words(graph: dict[str, Any], message: str) -> None:
    with pytest.raises(GivenError, match=message):
        part_of_node_link(graph, ATOMS, BONDS)
