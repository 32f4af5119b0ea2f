"""Graphs of a batch as the wire format has them."""

from collections.abc import Iterator
from typing import Any

from app.schemas import Graph
from models.card import ModelCard
from models.generation import GeneratedBatch
from models.molecules import canonical_smiles, parse_atom_type, to_molecule


def encode(batch: GeneratedBatch, card: ModelCard) -> Iterator[tuple[int, Graph]]:
    """(index in the request, graph) for every graph of the batch."""
    labelled = batch.graphs.labelled(card.node_types, card.edge_types)
    columns = zip(batch.indices.tolist(), batch.seeds.tolist(), labelled, strict=True)
    for index, seed, (types, pairs) in columns:
        about: dict[str, Any] = {"model": card.name, "seed": seed}
        described: list[dict[str, Any]] = [{"id": i, "type": label} for i, label in enumerate(types)]
        if card.domain == "molecule":
            smiles = canonical_smiles(to_molecule(types, pairs))
            about |= {"smiles": smiles, "valid": smiles is not None}
            described = [node | _atom(node["type"]) for node in described]
        links = [{"source": i, "target": j, "type": label} for i, j, label in pairs]
        yield index, Graph(graph=about, nodes=described, edges=links)


def _atom(label: str) -> dict[str, str | int]:
    element, charge = parse_atom_type(label)
    return {"element": element, "charge": charge}
