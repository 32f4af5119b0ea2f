"""What readers of files return: graphs with types and properties, checked, or an error that names the line.

A reader turns one entry of a file into a `ParsedGraph` and raises ValueError if it cannot; `read_entries` names the file
and the lines of the first few that it could not read.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from models.card.config import MASK_TYPE

MAX_NODES = 1_000
NO_EDGE = "none"
# In single precision, which ends at 3.4e38, these can be added up for the mean of a hundred million graphs,
# and differences by a hundredth of a deviation, the smallest that a regressor predicts, do not vanish.
LARGEST_VALUE = 1e30
SMALLEST_SPREAD = 1e-30
_SHOWN = 5


class DataFileError(ValueError):
    """A file that holds no graphs to learn from; the message names the line."""


class LineError(ValueError):
    """A mistake inside an entry, and the line where it stands."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Node:
    """A node as a file has it."""

    line: int
    name: str
    type: str


@dataclass(frozen=True)
class Link:
    """An edge as a file has it, between the names of nodes."""

    line: int
    source: str
    target: str
    type: str


@dataclass(frozen=True)
class ParsedGraph:
    """A graph of a file: the type of every node, (i, j, type) of every edge, its properties, and where it stands."""

    line: int
    types: list[str]
    edges: list[tuple[int, int, str]]
    properties: Mapping[str, float] = field(default_factory=dict)
    file: str = ""


def assemble(line: int, nodes: Sequence[Node], links: Sequence[Link], properties: Mapping[str, float]) -> ParsedGraph:
    """The graph of named nodes and of edges between the names; raises LineError if that is none."""
    places: dict[str, int] = {}
    for node in nodes:
        if node.name in places:
            raise LineError(node.line, f"two nodes have the id {node.name!r}")
        places[node.name] = len(places)
    edges: dict[tuple[int, int], str] = {}
    for link in links:
        if unknown := [name for name in (link.source, link.target) if name not in places]:
            raise LineError(link.line, f"an edge leads to {unknown[0]!r}, and no node has that id")
        begin, end = sorted((places[link.source], places[link.target]))
        if begin == end:
            raise LineError(link.line, f"an edge leads from {link.source!r} to itself; loops are not supported")
        if edges.setdefault((begin, end), link.type) != link.type:
            raise LineError(
                link.line, f"{link.source!r} and {link.target!r} are joined by two edges of different types"
            )
    parts: list[Node | Link] = [*nodes, *links]
    for part in parts:
        if part.type == MASK_TYPE or (isinstance(part, Link) and part.type == NO_EDGE):
            raise LineError(
                part.line,
                f"the types {MASK_TYPE!r} and, of edges, {NO_EDGE!r} have a meaning of their own; choose others",
            )
        if any("\ud800" <= character <= "\udfff" for character in part.type):
            raise LineError(part.line, f"the type {part.type!r} has half of a character")
    return require_learnable(
        ParsedGraph(line, [node.type for node in nodes], [(i, j, label) for (i, j), label in edges.items()], properties)
    )


def require_learnable(graph: ParsedGraph) -> ParsedGraph:
    """The graph, if it is one that can be learned from; raises LineError if not."""
    if not graph.types:
        raise LineError(graph.line, "the graph has no nodes")
    if len(graph.types) > MAX_NODES:
        raise LineError(graph.line, f"the graph has {len(graph.types)} nodes, and {MAX_NODES} are the most")
    return graph


def read_entries(
    path: Path, entries: Iterable[tuple[int, Any]], read: Callable[[int, Any], ParsedGraph]
) -> Iterator[ParsedGraph]:
    """What `read` makes of each entry; one error names the first few that it cannot read."""
    problems = []
    for number, entry in entries:
        try:
            yield read(number, entry)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = f"; and {len(problems) - _SHOWN} lines more" if len(problems) > _SHOWN else ""
        raise DataFileError(f"{path.name}, {'; '.join(problems[:_SHOWN])}{more}")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines with anything on them, counted from 1."""
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def open_text(path: Path) -> IO[str]:
    """The file as text, without the mark that some editors put at its beginning."""
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def type_of(attributes: Mapping[str, Any], default: str) -> str:
    """The type of a node or edge: its attribute `type`, or else `label`."""
    values = (attributes.get(name) for name in ("type", "label"))
    return next((str(value) for value in values if value is not None), default)


def number(text: str | float | int) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def properties_of(entries: Iterable[tuple[int, str, str | float | int]]) -> dict[str, float]:
    """Numbers by the names that cards give them, of (line, name, number); raises LineError if one is no number, too large, or has no usable name."""
    names: dict[str, str] = {}
    properties = {}
    for line, given_name, text in entries:
        name, value = property_name(given_name), number(text)
        if not name:
            raise LineError(line, no_name_problem(given_name))
        # networkx writes a graph's data once for every graph of the file that follows.
        if names.setdefault(name, given_name) != given_name:
            raise LineError(line, f"two properties are called {name}: {names[name]!r} and {given_name!r}")
        if value is None:
            raise LineError(line, f"the property {given_name} is {text!r:.20}, not a finite number")
        if abs(value) > LARGEST_VALUE:
            raise LineError(
                line,
                f"the property {given_name} is {value:g}, and values from {-LARGEST_VALUE:g} to {LARGEST_VALUE:g} can be learned; "
                "choose another unit, or its logarithm",
            )
        properties[name] = value
    return properties


def property_name(text: str) -> str:
    """As cards have it: small letters, digits and underscores, a letter first; nothing where there is no letter or digit."""
    name = re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")
    return name if not name or name[:1].isalpha() else f"property_{name}"


def no_name_problem(text: str) -> str:
    """What is wrong with a property that `property_name` has no name for."""
    return f"the name of the property {text!r} has no letter from a to z and no digit; it needs one"
