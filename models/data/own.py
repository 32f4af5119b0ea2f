"""Graphs from a file of the user's: the vocabulary, the sizes and the split are found from what is in it.

    .smi .smiles .txt    a SMILES a line, and whatever else after a space or tab
    .csv .tsv            a header with a column `smiles`; its numeric columns are properties
    .jsonl .ndjson .json node-link JSON, a graph a line, as `digress sample` writes and networkx reads; the numbers in
                         `graph.properties` are properties
    .graphml .xml        GraphML, one graph or many; numeric data of a graph are properties. A folder of such files, too

The type of a node or edge is its attribute `type`, or else `label`; one that has neither is a "node" or an "edge".
Graphs whose nodes are atoms and whose edges are bonds are molecules, and SMILES always are.

A mistake in the file is an error that names its line.
"""

import csv
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.parsers import expat

import torch
from jaxtyping import Float
from torch import Tensor

from models.card import MASK_TYPE, Domain
from models.data.dataset import GraphData
from models.data.encoding import encode_graphs
from models.molecules import BONDS, atom_valence, from_smiles

MAX_NODES = 1_000
MAX_TYPES = 100
MIN_GRAPHS = 10
_SPLIT_SEED = 0
_SHOWN = 5
_NO_EDGE = "none"
_NOT_HEAVY = {"H", "H+", "H-", "*"}


class DataFileError(ValueError):
    """A file that holds no graphs to learn from; the message names the line."""


@dataclass(frozen=True)
class OwnGraph:
    """A graph of a file: the type of every node, (i, j, type) of every edge, its properties, and where it stands."""

    line: int
    types: list[str]
    edges: list[tuple[int, int, str]]
    properties: Mapping[str, float] = field(default_factory=dict)
    file: str = ""


@dataclass(frozen=True)
class OwnData:
    """A file's data set, with the properties of the graphs of each split."""

    graphs: GraphData
    properties: list[str]
    values: dict[str, Float[Tensor, "b p"]]


def load_file(path: Path) -> OwnData:
    """The graphs of a file, four fifths to train on, a tenth each to validate and test with.

    Raises:
        DataFileError: if they cannot be read, or there are too few.
        OSError: if the file cannot be opened.
    """
    graphs = list(_read(path))
    if len(graphs) < MIN_GRAPHS:
        raise DataFileError(f"{path.name} holds {len(graphs)} graphs; at least {MIN_GRAPHS} are needed")
    node_types = _by_frequency(label for graph in graphs for label in graph.types)
    edge_types = _by_frequency(label for graph in graphs for _, _, label in graph.edges) or ["edge"]
    for what, types in (("node", node_types), ("edge", edge_types)):
        if len(types) > MAX_TYPES:
            raise DataFileError(
                f"{path.name} has {len(types)} types of {what}s, like {types[0]!r} and {types[-1]!r}, and {MAX_TYPES} "
                "are the most; a type is a kind, not a name of its own"
            )
    properties = sorted(set.intersection(*(set(graph.properties) for graph in graphs)))
    _require_everywhere(path, graphs, properties)
    order = torch.randperm(len(graphs), generator=torch.Generator().manual_seed(_SPLIT_SEED)).tolist()
    held_out = max(len(graphs) // 10, 1)
    parts = {
        "train": order[2 * held_out :],
        "validation": order[:held_out],
        "test": order[held_out : 2 * held_out],
    }
    encoded = {
        split: encode_graphs([(graphs[i].types, graphs[i].edges) for i in chosen], node_types, [_NO_EDGE, *edge_types])
        for split, chosen in parts.items()
    }
    values = {
        split: torch.tensor([[graphs[i].properties[name] for name in properties] for i in chosen])
        for split, chosen in parts.items()
    }
    _require_spread(path, properties, values["train"])
    return OwnData(
        GraphData(
            # A folder may be called as a data set of this package is.
            name=f"{path.name}/" if path.is_dir() else path.name,
            domain=_domain(node_types, edge_types),
            split=f"{' / '.join(str(len(part)) for part in parts.values())} graphs of {path.name} for training, validation and test, at random",
            node_types=node_types,
            edge_types=[_NO_EDGE, *edge_types],
            notes=[f"{path.name} has sha256 {fingerprint(path)}"],
            **encoded,
        ),
        properties,
        values,
    )


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of the files of a folder in order."""
    files = _graphml_files(path) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _read(path: Path) -> Iterator[OwnGraph]:
    if path.is_dir():
        for file in _graphml_files(path):
            yield from (replace(graph, file=f"{path.name}/{file.name}") for graph in _read_graphml(file))
        return
    match path.suffix.lower():
        case ".smi" | ".smiles" | ".txt":
            yield from _collected(path, _numbered(path), _smiles_line)
        case ".csv" | ".tsv":
            yield from _read_table(path, "\t" if path.suffix.lower() == ".tsv" else ",")
        case ".jsonl" | ".ndjson" | ".json":
            yield from _collected(path, _numbered(path), _json_line)
        case ".graphml" | ".xml":
            yield from _read_graphml(path)
        case other:
            raise DataFileError(
                f"{path.name} ends in {other or 'nothing'}; known are .smi, .smiles, .txt, .csv, .tsv (SMILES), .jsonl, .ndjson, .json "
                "(node-link), .graphml, .xml, and folders of GraphML"
            )


# -- SMILES


def _smiles_line(number: int, text: str) -> OwnGraph:
    return _molecule(number, text.split()[0])


def _molecule(line: int, smiles: str) -> OwnGraph:
    parsed = from_smiles(smiles)
    if parsed is None or not parsed[0]:
        raise ValueError(f"RDKit cannot read the SMILES {smiles!r}")
    if odd := [label for label in parsed[0] if label in _NOT_HEAVY]:
        raise ValueError(
            f"{smiles!r} has {odd[0]} as an atom of its own; leave out hydrogens that the others imply, isotopes of hydrogen and wildcards"
        )
    return _sound(OwnGraph(line, *parsed))


def _read_table(path: Path, delimiter: str) -> Iterator[OwnGraph]:
    with _opened(path) as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise DataFileError(f"{path.name}, line {reader.line_num}: {error}; is a quote not closed?") from error
    header = [_property_name(name) for name in rows[0][1]] if rows else []
    if "smiles" not in header:
        raise DataFileError(f"{path.name}, line 1: no column is called smiles; a header names the columns")
    if repeated := [name for name, count in Counter(header).items() if name and count > 1]:
        raise DataFileError(f"{path.name}, line 1: more than one column is called {repeated[0]}")
    numbered = [(number, row) for number, row in rows[1:] if row]
    place = header.index("smiles")
    numeric = [
        column
        for column in range(len(header))
        if header[column]
        and column != place
        and any(_number(row[column]) is not None for _, row in numbered if column < len(row))
    ]

    def read(number: int, row: list[str]) -> OwnGraph:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} columns where the header has {len(header)}")
        properties = {}
        for column in numeric:
            value = _number(row[column])
            if value is None:
                raise ValueError(f"column {header[column]} is {row[column]!r}, and elsewhere a number")
            properties[header[column]] = value
        molecule = _molecule(number, row[place].strip())
        return OwnGraph(number, molecule.types, molecule.edges, properties)

    yield from _collected(path, numbered, read)


def _number(text: str | float | int) -> float | None:
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _property_name(text: str) -> str:
    """As cards have it: small letters, digits and underscores, a letter first; nothing for a column without a name."""
    name = re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")
    return name if not name or name[:1].isalpha() else f"property_{name}"


# -- node-link JSON


def _json_line(number: int, text: str) -> OwnGraph:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}; a line is one graph") from error
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), list):
        raise ValueError('no node-link graph, like {"nodes": [{"id": 0, "type": "C"}], "edges": []}')
    if found.get("directed") or found.get("multigraph"):
        raise ValueError("directed graphs and multigraphs are not supported")
    links = found.get("edges", found.get("links", []))
    if not isinstance(links, list) or not all(isinstance(entry, dict) for entry in (*found["nodes"], *links)):
        raise ValueError("nodes and edges must be lists of objects")
    if missing := [key for key in ("source", "target") if any(key not in link for link in links)]:
        raise ValueError(f"an edge has no {missing[0]}")
    if any("id" not in node for node in found["nodes"]):
        raise ValueError("a node has no id")
    return _graph(
        number,
        [(str(node["id"]), _type(node, "node")) for node in found["nodes"]],
        [(str(link["source"]), str(link["target"]), _type(link, "edge")) for link in links],
        _json_properties(found.get("graph")),
    )


def _json_properties(about: Any) -> dict[str, float]:
    """The numbers among `graph.properties`; a null is a property that the graph does not have."""
    properties = about.get("properties") if isinstance(about, dict) else None
    if not isinstance(properties, dict):
        return {}
    numbers = {}
    for name, told in properties.items():
        if isinstance(told, int | float) and not isinstance(told, bool):
            value = _number(told)
            if value is None:
                raise ValueError(f"the property {name} is {str(told)[:20]}, not a finite number")
            numbers[_property_name(name)] = value
    return numbers


def _type(attributes: Mapping[str, Any], otherwise: str) -> str:
    found = attributes.get("type", attributes.get("label"))
    return otherwise if found is None else str(found)


# -- GraphML


def _read_graphml(path: Path) -> Iterator[OwnGraph]:
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
            return _type(known | data, purpose)

        numeric = {name for purpose, name, kind in self._keys.values() if purpose == "graph" and kind in _NUMERIC}
        properties = {}
        for name in numeric & graph["data"].keys():
            value = _number(graph["data"][name])
            if value is None:
                raise ValueError(f"{name} is {graph['data'][name]!r}, not a number")
            properties[_property_name(name)] = value
        return _graph(
            graph["line"],
            [(name, typed("node", data)) for name, data in self._nodes],
            [(source, target, typed("edge", data)) for source, target, data in self._edges],
            properties,
        )


_NUMERIC = {"int", "long", "float", "double"}


def _attribute(given: Mapping[str, str], name: str, tag: str) -> str:
    if name not in given:
        raise ValueError(f"a <{tag}> has no {name}")
    return given[name]


def _graphml_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in {".graphml", ".xml"})


# -- all of them


def _graph(
    line: int, nodes: list[tuple[str, str]], links: list[tuple[str, str, str]], properties: Mapping[str, float]
) -> OwnGraph:
    places: dict[str, int] = {}
    for name, _ in nodes:
        if name in places:
            raise ValueError(f"two nodes have the id {name!r}")
        places[name] = len(places)
    edges: dict[tuple[int, int], str] = {}
    for source, target, label in links:
        if unknown := [name for name in (source, target) if name not in places]:
            raise ValueError(f"an edge leads to {unknown[0]!r}, and no node has that id")
        pair = (min(places[source], places[target]), max(places[source], places[target]))
        if pair[0] == pair[1]:
            raise ValueError(f"an edge leads from {source!r} to itself; loops are not supported")
        if edges.setdefault(pair, label) != label:
            raise ValueError(f"{source!r} and {target!r} are joined by two edges of different types")
    return _sound(
        OwnGraph(line, [label for _, label in nodes], [(i, j, label) for (i, j), label in edges.items()], properties)
    )


def _sound(graph: OwnGraph) -> OwnGraph:
    if not graph.types:
        raise ValueError("the graph has no nodes")
    if len(graph.types) > MAX_NODES:
        raise ValueError(f"the graph has {len(graph.types)} nodes, and {MAX_NODES} are the most")
    if MASK_TYPE in graph.types or any(label in {MASK_TYPE, _NO_EDGE} for _, _, label in graph.edges):
        raise ValueError(
            f"the types {MASK_TYPE!r} and, of edges, {_NO_EDGE!r} have a meaning of their own; choose others"
        )
    return graph


def _collected(
    path: Path, entries: Iterable[tuple[int, Any]], read: Callable[[int, Any], OwnGraph]
) -> Iterator[OwnGraph]:
    """What `read` makes of each entry; the first few that it cannot read are told together."""
    problems = []
    for number, entry in entries:
        try:
            yield read(number, entry)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = f"; and {len(problems) - _SHOWN} lines more" if len(problems) > _SHOWN else ""
        raise DataFileError(f"{path.name}, {'; '.join(problems[:_SHOWN])}{more}")


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def _opened(path: Path) -> Any:
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _by_frequency(labels: Iterable[str]) -> list[str]:
    return [label for label, _ in sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0]))]


def _domain(node_types: list[str], edge_types: list[str]) -> Domain:
    try:
        for label in node_types:
            atom_valence(label)
    except (ValueError, RuntimeError):
        return "graph"
    return "molecule" if set(edge_types) <= set(BONDS) else "graph"


def _require_everywhere(path: Path, graphs: list[OwnGraph], properties: list[str]) -> None:
    told = {name for graph in graphs for name in graph.properties}
    for name in sorted(told.difference(properties)):
        graph = next(graph for graph in graphs if name not in graph.properties)
        raise DataFileError(
            f"{graph.file or path.name}, line {graph.line}: the property {name}, which other graphs have, is missing"
        )


def _require_spread(path: Path, properties: list[str], values: Float[Tensor, "b p"]) -> None:
    for name, column in zip(properties, values.T, strict=True):
        if column.min() == column.max():
            raise DataFileError(
                f"{path.name}: the property {name} is {column[0]:g} for every graph to train on; leave it out"
            )
