"""GraphML: a file of one graph or many.

Data declared for nodes and edges by `<key>` are their attributes, with its `<default>`. Numeric data of a graph are properties,
without a default; of a graph that this service wrote, only what is called `properties.…` is.
Directed graphs and edges, graphs inside graphs and hyperedges are errors.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.parsers import expat

from models.data.files.parsed import DataFileError, LineError, Link, Node, ParsedGraph, assemble, properties_of, type_of

_NUMERIC = {"int", "long", "float", "double"}
# What the service writes of every graph, and of molecules, and the prefix of properties.
_SERVED = {"model", "seed"}
_SERVED_TOO = {"smiles", "valid"}
_PREFIXES = ("properties.", "property_errors.")


def read_graphml(path: Path) -> Iterator[ParsedGraph]:
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
    except LookupError as error:
        raise DataFileError(f"{path.name}, line 1: {error}") from error
    except LineError as error:
        raise DataFileError(f"{path.name}, line {error.line}: {error}") from error
    except ValueError as error:
        raise DataFileError(f"{path.name}, line {parser.CurrentLineNumber}: {error}") from error
    yield from reader.graphs


class _GraphMLReader:
    """Listens to a parser and puts graphs together."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.graphs: list[ParsedGraph] = []
        self._parser = parser
        self._keys: dict[str, tuple[str, str, str]] = {}  # id -> what it is for, its name, its type
        self._defaults: dict[tuple[str, str], str] = {}
        # All that follows is of the graph that is open, and has its line with it.
        self._graph: int | None = None
        self._nodes: list[tuple[int, str, dict[str, str]]] = []
        self._edges: list[tuple[int, str, str, dict[str, str]]] = []
        self._data: list[tuple[int, str, str, str]] = []  # the graph's data: line, name, type, text
        self._attributes: dict[str, str] | None = None  # of the node or edge that is open
        self._line, self._key, self._text = 0, "", ""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _start(self, tag: str, given: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        self._line, self._text = self._parser.CurrentLineNumber, ""
        _require_supported(tag, given)
        if tag == "key":
            self._key = _attribute(given, "id", tag)
            self._keys[self._key] = (
                given.get("for", "all"),
                given.get("attr.name", self._key),
                given.get("attr.type", "string"),
            )
        elif tag == "default" and self._key not in self._keys:
            raise ValueError("a <default> outside of a <key>")
        elif tag == "graph":
            if self._graph is not None:
                raise ValueError("a graph inside a graph is not supported")
            self._graph = self._line
            self._nodes, self._edges, self._data, self._attributes = [], [], [], None
        elif tag == "node":
            self._attributes = {}
            self._nodes.append((self._line, _attribute(given, "id", tag), self._attributes))
        elif tag == "edge":
            self._attributes = {}
            ends = _attribute(given, "source", tag), _attribute(given, "target", tag)
            self._edges.append((self._line, *ends, self._attributes))
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
        elif tag == "data" and self._graph is not None:
            purpose, name, kind = self._keys[self._key]
            if self._attributes is not None:
                self._attributes[name] = self._text.strip()
            elif purpose in {"graph", "all"}:
                self._data.append((self._line, name, kind, self._text.strip()))
        elif tag in {"node", "edge"}:
            self._attributes = None
        elif tag == "graph" and self._graph is not None:
            self.graphs.append(self._finished(self._graph))
            self._graph = None

    def _finished(self, begin: int) -> ParsedGraph:
        def typed(purpose: str, data: dict[str, str]) -> str:
            known = {name: text for (wanted, name), text in self._defaults.items() if wanted in {purpose, "all"}}
            return type_of(known | data, purpose)

        return assemble(
            begin,
            [Node(line, name, typed("node", data)) for line, name, data in self._nodes],
            [Link(line, source, target, typed("edge", data)) for line, source, target, data in self._edges],
            properties_of(self._numbers()),
        )

    def _numbers(self) -> Iterator[tuple[int, str, str]]:
        """The numeric data of the graph that is open: line, name, text."""
        names = {name for _, name, _, _ in self._data}
        is_served = names >= _SERVED and all(
            name in _SERVED_TOO or name.startswith(_PREFIXES) for name in names - _SERVED
        )
        prefix = _PREFIXES[0] if is_served else ""
        for line, name, kind, text in self._data:
            if kind in _NUMERIC and name.startswith(prefix):
                yield line, name.removeprefix(prefix), text


def _require_supported(tag: str, given: Mapping[str, str]) -> None:
    if tag == "graph" and given.get("edgedefault") == "directed":
        raise ValueError('the graph is directed; only edgedefault="undirected" is supported')
    if tag == "edge" and given.get("directed") in {"true", "1"}:
        raise ValueError("the edge is directed; only undirected edges are supported")
    if tag == "hyperedge":
        raise ValueError("hyperedges are not supported")


def _attribute(given: Mapping[str, str], name: str, tag: str) -> str:
    if name not in given:
        raise ValueError(f"a <{tag}> has no {name}")
    return given[name]
