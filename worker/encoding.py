"""Graphs of a batch as the wire format has them."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from app.schemas import Graph
from models.card import ModelCard
from models.generation import GeneratedBatch
from models.molecules import canonical_smiles, parse_atom_type, to_molecule

_DECIMALS = 4


def encode(batch: GeneratedBatch, card: ModelCard) -> Iterator[tuple[int, Graph]]:
    """(index in the request, graph) for every graph of the batch."""
    labelled = batch.graphs.labelled(card.node_types, card.edge_types)
    columns = zip(batch.indices.tolist(), batch.seeds.tolist(), labelled, strict=True)
    for row, (index, seed, (types, pairs)) in enumerate(columns):
        about: dict[str, Any] = {"model": card.name, "seed": seed}
        described: list[dict[str, Any]] = [{"id": i, "type": label} for i, label in enumerate(types)]
        if card.domain == "molecule":
            smiles = canonical_smiles(to_molecule(types, pairs))
            about |= {"smiles": smiles, "valid": smiles is not None}
            described = [node | _atom(node["type"]) for node in described]
        if batch.properties is not None:
            about |= {
                "properties": _rounded(batch.properties.values, row),
                "property_errors": _rounded(batch.properties.errors, row),
            }
        links = [{"source": i, "target": j, "type": label} for i, j, label in pairs]
        yield index, Graph(graph=about, nodes=described, edges=links)


def _rounded(columns: Mapping[str, Tensor], row: int) -> dict[str, float]:
    return {name: round(float(column[row]), _DECIMALS) for name, column in columns.items()}


def _atom(label: str) -> dict[str, str | int]:
    element, charge = parse_atom_type(label)
    return {"element": element, "charge": charge}
