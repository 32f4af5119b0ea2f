"""Graphs of a batch as the wire format has them."""

from collections.abc import Iterator

from app.schemas import Graph
from models.card import ModelCard
from models.generation import GeneratedBatch
from models.molecules import canonical_smiles, parse_atom_type, to_molecule


def encode(batch: GeneratedBatch, card: ModelCard) -> Iterator[tuple[int, Graph]]:
    """(index in the request, graph) for every graph of the batch."""
    graphs = batch.graphs
    columns = (
        batch.indices.tolist(),
        batch.seeds.tolist(),
        graphs.nodes.tolist(),
        graphs.edges.tolist(),
        graphs.num_nodes.tolist(),
    )
    for index, seed, nodes, edges, size in zip(*columns, strict=True):
        types = [card.node_types[node] for node in nodes[:size]]
        pairs = [(i, j, card.edge_types[edges[i][j]]) for j in range(size) for i in range(j) if edges[i][j]]
        about = {"model": card.name, "seed": seed}
        described = [{"id": i, "type": label} for i, label in enumerate(types)]
        if card.domain == "molecule":
            smiles = canonical_smiles(to_molecule(types, pairs))
            about |= {"smiles": smiles, "valid": smiles is not None}
            described = [node | _atom(node["type"]) for node in described]
        links = [{"source": i, "target": j, "type": label} for i, j, label in pairs]
        yield index, Graph(graph=about, nodes=described, edges=links)


def _atom(label: str) -> dict[str, str | int]:
    element, charge = parse_atom_type(label)
    return {"element": element, "charge": charge}
