"""Node-link JSON, a graph a line, as `digress sample` writes and networkx reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.data.files.parsed import (
    Link,
    Node,
    ParsedGraph,
    assemble,
    numbered_lines,
    properties_of,
    read_entries,
    type_of,
)


def read_node_link(path: Path) -> Iterator[ParsedGraph]:
    """The graphs of a file, in order.

    Raises:
        DataFileError: if a line cannot be understood.
    """
    yield from read_entries(path, numbered_lines(path), _graph_of)


def _graph_of(line: int, text: str) -> ParsedGraph:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}; a line is one graph") from error
    except RecursionError as error:
        raise ValueError("lists inside lists, more than can be read; a line is one graph") from error
    if isinstance(found, list):
        raise ValueError("a list; a line is one graph, without brackets around all and commas between them")
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), list):
        raise ValueError('no node-link graph, like {"nodes": [{"id": 0, "type": "C"}], "edges": []}')
    if found.get("directed") or found.get("multigraph"):
        raise ValueError("directed graphs and multigraphs are not supported")
    links: Any = next((value for name in ("edges", "links") if (value := found.get(name)) not in (None, [])), [])
    if not isinstance(links, list) or not all(isinstance(entry, dict) for entry in (*found["nodes"], *links)):
        raise ValueError("nodes and edges must be lists of objects")
    if missing := [key for key in ("source", "target") if any(key not in link for link in links)]:
        raise ValueError(f"an edge has no {missing[0]}")
    if any("id" not in node for node in found["nodes"]):
        raise ValueError("a node has no id")
    return assemble(
        line,
        [Node(line, str(node["id"]), type_of(node, "node")) for node in found["nodes"]],
        [Link(line, str(link["source"]), str(link["target"]), type_of(link, "edge")) for link in links],
        _properties(line, found.get("graph")),
    )


def _properties(line: int, about: Any) -> dict[str, float]:
    """The numbers among `graph.properties`; a null is a property that the graph does not have."""
    properties = about.get("properties") if isinstance(about, dict) else None
    if not isinstance(properties, dict):
        return {}
    return properties_of(
        (line, name, value)
        for name, value in properties.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )
