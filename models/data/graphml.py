"""GraphML: a file of one graph or many.

Data declared for nodes and edges by `<key>` are their attributes, with its `<default>`; numeric data of a graph are properties.
Directed graphs, graphs inside graphs and hyperedges are errors.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from models.data.file_graphs import DataFileError, OwnGraph, assemble, number, property_name, type_of

_NUMERIC = {"int", "long", "float", "double"}


def read_graphml(path: Path) -> Iterator[OwnGraph]:
    """The graphs of a file, in order.

    Raises:
        DataFileError: if it cannot be understood.
    """
    parser = expat.ParserCreate()
    reader = _GraphMLReader(parser)
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise DataFileError(f"{path.name}, line {error.lineno}: {expat.ErrorString(error.code)}") from error
    except ValueError as error:
        raise DataFileError(f"{path.name}, line {parser.CurrentLineNumber}: {error}") from error
    yield from reader.graphs


class _GraphMLReader:
    """Listens to a parser and puts graphs together."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.graphs: list[OwnGraph] = []
        self._parser = parser
        self._keys: dict[str, tuple[str, str, str]] = {}  # id -> what it is for, its name, its type
        self._defaults: dict[tuple[str, str], str] = {}
        self._graph: dict[str, Any] | None = None
        self._nodes: list[tuple[str, dict[str, str]]] = []
        self._edges: list[tuple[str, str, dict[str, str]]] = []
        self._into: dict[str, str] | None = None
        self._key, self._text = "", ""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _start(self, tag: str, given: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        self._text = ""
        if tag == "key":
            self._key = _attribute(given, "id", tag)
            self._keys[self._key] = (
                given.get("for", "all"),
                given.get("attr.name", self._key),
                given.get("attr.type", "string"),
            )
        elif tag == "graph":
            if self._graph is not None:
                raise ValueError("a graph inside a graph is not supported")
            if given.get("edgedefault") == "directed":
                raise ValueError('the graph is directed; only edgedefault="undirected" is supported')
            self._graph = {"line": self._parser.CurrentLineNumber, "data": {}}
            self._nodes, self._edges, self._into = [], [], self._graph["data"]
        elif tag == "node":
            self._nodes.append((_attribute(given, "id", tag), {}))
            self._into = self._nodes[-1][1]
        elif tag == "edge":
            self._edges.append((_attribute(given, "source", tag), _attribute(given, "target", tag), {}))
            self._into = self._edges[-1][2]
        elif tag == "hyperedge":
            raise ValueError("hyperedges are not supported")
        elif tag == "data":
            self._key = _attribute(given, "key", tag)
            if self._key not in self._keys:
                raise ValueError(f"no <key> has the id {self._key!r}")

    def _characters(self, text: str) -> None:
        self._text += text

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "default":
            purpose, name, _ = self._keys[self._key]
            self._defaults[purpose, name] = self._text.strip()
        elif tag == "data" and self._into is not None:
            self._into[self._keys[self._key][1]] = self._text.strip()
        elif tag in {"node", "edge"} and self._graph is not None:
            self._into = self._graph["data"]
        elif tag == "graph" and self._graph is not None:
            self.graphs.append(self._finished(self._graph))
            self._graph = self._into = None

    def _finished(self, graph: Mapping[str, Any]) -> OwnGraph:
        def typed(purpose: str, data: dict[str, str]) -> str:
            known = {name: text for (wanted, name), text in self._defaults.items() if wanted in {purpose, "all"}}
            return type_of(known | data, purpose)

        numeric = {name for purpose, name, kind in self._keys.values() if purpose == "graph" and kind in _NUMERIC}
        properties = {}
        for name in numeric & graph["data"].keys():
            value = number(graph["data"][name])
            if value is None:
                raise ValueError(f"{name} is {graph['data'][name]!r}, not a number")
            properties[property_name(name)] = value
        return assemble(
            graph["line"],
            [(name, typed("node", data)) for name, data in self._nodes],
            [(source, target, typed("edge", data)) for source, target, data in self._edges],
            properties,
        )


def _attribute(given: Mapping[str, str], name: str, tag: str) -> str:
    if name not in given:
        raise ValueError(f"a <{tag}> has no {name}")
    return given[name]
