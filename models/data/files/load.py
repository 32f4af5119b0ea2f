"""Graphs from a file of the user's; vocabulary, sizes and split come from its content.

    .smi .smiles .txt    a SMILES a line, and whatever else after a space or tab
    .csv .tsv            a header with a column `smiles`; its numeric columns are properties
    .jsonl .ndjson .json node-link JSON, a graph a line, as `digress sample` writes and networkx reads; the numbers in
                         `graph.properties` are properties
    .graphml .xml        GraphML, one graph or many; numeric data of a graph are properties. A folder of such files, too

The type of a node or edge is its attribute `type`, or else `label`; one that has neither is a "node" or an "edge".
Graphs whose nodes are atoms and whose edges are bonds are molecules, and SMILES always are. Of SMILES, isotopes and the
arrangement in space are left out.

An error in the file is reported with its line.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from models.card.config import Domain
from models.data.dataset import GraphData
from models.data.encoding import encode_graphs
from models.data.files.graphml import read_graphml
from models.data.files.node_link import read_node_link
from models.data.files.parsed import NO_EDGE, SMALLEST_SPREAD, DataFileError, ParsedGraph
from models.data.files.smiles import read_smiles, read_table
from models.molecules import BONDS, atom_valence

MAX_TYPES = 100
MIN_GRAPHS = 10
MOST_BYTES = 4 * 2**30
_SPLIT_SEED = 0
# Of values' size, what their differences must exceed for a hundred steps between the least and the most.
_SINGLE_PRECISION = 100 * torch.finfo(torch.float32).eps
_SMILES = {".smi", ".smiles", ".txt", ".csv", ".tsv"}


@dataclass(frozen=True)
class FileData:
    """A file's data set, with the properties of the graphs of each split."""

    graphs: GraphData
    properties: list[str]
    values: dict[str, Float[Tensor, "b p"]]


def load_file(path: Path) -> FileData:
    """The graphs of a file, four fifths to train on, a tenth each to validate and test with.

    Raises:
        DataFileError: if they cannot be read, or there are too few.
        OSError: if the file cannot be opened.
    """
    graphs = list(_read(path))
    if len(graphs) < MIN_GRAPHS:
        raise DataFileError(f"{path.name} holds {len(graphs)} graphs; at least {MIN_GRAPHS} are needed")
    node_types = _by_frequency(label for graph in graphs for label in graph.types)
    edge_types = _by_frequency(label for graph in graphs for _, _, label in graph.edges) or [_only_edge(path)]
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
    for chosen in parts.values():
        _require_memory(path, [graphs[i] for i in chosen])
    encoded = {
        split: encode_graphs([(graphs[i].types, graphs[i].edges) for i in chosen], node_types, [NO_EDGE, *edge_types])
        for split, chosen in parts.items()
    }
    values = {
        split: torch.tensor([[graphs[i].properties[name] for name in properties] for i in chosen], dtype=torch.double)
        for split, chosen in parts.items()
    }
    _require_spread(path, properties, values["train"])
    return FileData(
        GraphData(
            # A folder may be called as a data set of this package is.
            name=f"{path.name}/" if path.is_dir() else path.name,
            domain=_domain(node_types, edge_types),
            split=f"{' / '.join(str(len(part)) for part in parts.values())} graphs of {path.name} for training, validation and test, at random",
            node_types=node_types,
            edge_types=[NO_EDGE, *edge_types],
            notes=[f"{path.name} has sha256 {fingerprint(path)}"],
            train=encoded["train"],
            validation=encoded["validation"],
            test=encoded["test"],
        ),
        properties,
        {split: table.float() for split, table in values.items()},
    )


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of the files of a folder in order."""
    files = _graphml_files(path) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _read(path: Path) -> Iterator[ParsedGraph]:
    if path.is_dir():
        if not (files := _graphml_files(path)):
            raise DataFileError(f"the folder {path.name} holds no .graphml or .xml, which alone are read from folders")
        for file in files:
            yield from (replace(graph, file=f"{path.name}/{file.name}") for graph in read_graphml(file))
        return
    match path.suffix.lower():
        case ".smi" | ".smiles" | ".txt":
            yield from read_smiles(path)
        case ".csv" | ".tsv":
            yield from read_table(path, "\t" if path.suffix.lower() == ".tsv" else ",")
        case ".jsonl" | ".ndjson" | ".json":
            yield from read_node_link(path)
        case ".graphml" | ".xml":
            yield from read_graphml(path)
        case other:
            raise DataFileError(
                f"{path.name} ends in {other or 'nothing'}; known are .smi, .smiles, .txt, .csv, .tsv (SMILES), .jsonl, .ndjson, .json "
                "(node-link), .graphml, .xml, and folders of GraphML"
            )


def _graphml_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in {".graphml", ".xml"})


def _by_frequency(labels: Iterable[str]) -> list[str]:
    return [label for label, _ in sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0]))]


def _only_edge(path: Path) -> str:
    """The type of edge, where there is no edge in the whole file: of atoms alone it would be a bond."""
    return "edge" if path.is_dir() or path.suffix.lower() not in _SMILES else "single"


def _domain(node_types: list[str], edge_types: list[str]) -> Domain:
    try:
        for label in node_types:
            atom_valence(label)
    except (ValueError, RuntimeError, OverflowError):
        return "graph"
    return "molecule" if set(edge_types) <= set(BONDS) else "graph"


def _require_everywhere(path: Path, graphs: list[ParsedGraph], properties: list[str]) -> None:
    known = {name for graph in graphs for name in graph.properties}
    for name in sorted(known.difference(properties)):
        graph = next(graph for graph in graphs if name not in graph.properties)
        raise DataFileError(
            f"{graph.file or path.name}, line {graph.line}: the property {name}, which other graphs have, is missing"
        )


def _require_memory(path: Path, graphs: list[ParsedGraph]) -> None:
    """Those of a split are held as large as the largest of them, a byte for every pair of nodes."""
    largest = max(graphs, key=lambda graph: len(graph.types))
    needed = len(graphs) * len(largest.types) ** 2
    if needed > MOST_BYTES:
        raise DataFileError(
            f"{path.name}: {len(graphs)} graphs, each held as large as the largest, take {needed / 2**30:.1f} GiB, more than {MOST_BYTES / 2**30:.0f}; "
            f"leave out the largest, like the one of {len(largest.types)} nodes at {largest.file or path.name}, line {largest.line}"
        )


def _require_spread(path: Path, properties: list[str], values: Float[Tensor, "b p"]) -> None:
    for name, column in zip(properties, values.T, strict=True):
        least, most = float(column.min()), float(column.max())
        if least == most:
            raise DataFileError(
                f"{path.name}: the property {name} is {least:g} for every graph to train on; leave it out"
            )
        if most - least < SMALLEST_SPREAD:
            raise DataFileError(
                f"{path.name}: the property {name} differs by less than {SMALLEST_SPREAD:g} among the graphs to train on; choose another unit"
            )
        if most - least < _SINGLE_PRECISION * max(abs(least), abs(most)):
            raise DataFileError(
                f"{path.name}: the property {name} is from {least:.12g} to {most:.12g}, which single precision hardly tells apart; subtract "
                "what the graphs have in common, or leave it out"
            )
