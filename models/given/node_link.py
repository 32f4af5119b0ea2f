"""A part of a graph in node-link form, for every model: "extend my network by eight nodes".

    {"nodes": [{"id": "a", "type": "C"}, {"id": "b"}], "edges": [{"source": "a", "target": "b", "type": "single"}]}

A node whose type is missing or null is there, of any type. A node with `"closed": true` gets no edge to a drawn node. A pair that no edge names
stays without an edge, unless the whole has `"open": true`. An edge of the type "none" keeps its pair apart, and one with `"open": true` leaves it open.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from models.given.partial import GivenError, PartialGraph


def part_of_node_link(graph: Mapping[str, Any], node_types: Sequence[str], edge_types: Sequence[str]) -> PartialGraph:
    """The part that a node-link graph describes, over a model's vocabulary.

    Raises:
        GivenError: if it is not undirected node-link form, or has a type that the model does not draw.
    """
    if graph.get("directed") or graph.get("multigraph"):
        raise GivenError(
            "the models draw undirected graphs with one edge a pair; give one without directed and multigraph"
        )
    nodes, edges = _list_of(graph, "nodes"), _list_of(graph, "edges")
    if not nodes:
        raise GivenError('no nodes; write {"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1}]}')
    places = _places(nodes)
    known: dict[tuple[int, int], int | None] = {}
    if not graph.get("open"):
        known = dict.fromkeys(combinations(range(len(nodes)), 2), 0)
    for number, edge in enumerate(edges):
        pair = _pair(edge, number, places)
        known[pair] = None if edge.get("open") else _edge_type(edge, number, edge_types)
    return PartialGraph(
        tuple(_node_type(node, node_types) for node in nodes),
        {pair: category for pair, category in known.items() if category is not None},
        frozenset(place for place, node in enumerate(nodes) if node.get("closed")),
    )


def _list_of(graph: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = graph.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise GivenError(
            f"{name} must be a list of objects, as networkx.node_link_data(graph, edges='edges') writes it"
        )
    return found


def _places(nodes: Sequence[Mapping[str, Any]]) -> dict[Any, int]:
    places: dict[Any, int] = {}
    for place, node in enumerate(nodes):
        identity = node.get("id")
        if not isinstance(identity, str | int):
            raise GivenError(f"node {place} has no id; give each node an id of its own, a number or a text")
        if identity in places:
            raise GivenError(f"two nodes have the id {identity!r}; give each node an id of its own")
        places[identity] = place
    return places


def _pair(edge: Mapping[str, Any], number: int, places: Mapping[Any, int]) -> tuple[int, int]:
    ends = [edge.get("source"), edge.get("target")]
    for end in ends:
        if not isinstance(end, str | int) or end not in places:
            raise GivenError(f"edge {number} joins {end!r}, which is no node's id")
    low, high = sorted(places[end] for end in ends)
    if low == high:
        raise GivenError(f"edge {number} joins the node {ends[0]!r} with itself, which no graph of the models has")
    return low, high


def _node_type(node: Mapping[str, Any], node_types: Sequence[str]) -> int | None:
    label = node.get("type")
    if label is None:
        return None
    if label not in node_types:
        raise GivenError(f"the model has no node type {str(label)[:40]!r}; it has {', '.join(node_types)}")
    return node_types.index(label)


def _edge_type(edge: Mapping[str, Any], number: int, edge_types: Sequence[str]) -> int:
    label = edge.get("type")
    if label is None and len(edge_types) == 2:
        return 1
    if label not in edge_types:
        raise GivenError(
            f"edge {number} has the type {str(label)[:40]!r}; the model has {', '.join(edge_types)} ({edge_types[0]!r} keeps a pair apart)"
        )
    return edge_types.index(label)
