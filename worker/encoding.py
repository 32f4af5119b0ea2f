"""Graphs of a batch in the wire format."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from app.schemas import Frame, Graph, Trajectory
from models.card.card import ModelCard
from models.card.config import MASK_TYPE
from models.generation import GeneratedBatch
from models.molecules import canonical_smiles, parse_atom_type, to_molecule
from models.plan import GenerationPlan
from models.similarity import Likeness

_DECIMALS = 4


def encode(batch: GeneratedBatch, card: ModelCard, likeness: Likeness | None = None) -> Iterator[tuple[int, Graph]]:
    """(index in the request, graph) for every graph of the batch; with its similarity to another, if that is wanted."""
    labelled = batch.graphs.labelled(card.node_types, card.edge_types)
    # Each tensor is copied from its device once.
    predicted = (
        {"properties": _rounded(batch.properties.values), "property_errors": _rounded(batch.properties.errors)}
        if batch.properties
        else {}
    )
    given = batch.given.nodes.tolist() if batch.given else None
    rows = zip(batch.indices.tolist(), batch.seeds.tolist(), labelled, strict=True)
    for row, (index, seed, (types, pairs)) in enumerate(rows):
        metadata: dict[str, Any] = {"model": card.name, "seed": seed}
        nodes = _nodes(types)
        if card.domain == "molecule":
            smiles = canonical_smiles(to_molecule(types, pairs, hydrogens_are_drawn=card.hydrogens_are_drawn))
            metadata |= {"smiles": smiles, "valid": smiles is not None}
            nodes = [node | _atom(node["type"]) for node in nodes]
        elif card.validity is not None:
            from models.rules.validity import is_valid  # with SciPy, which takes a second

            metadata["valid"] = is_valid(card.validity, len(types), [(i, j) for i, j, _ in pairs])
        if given:
            nodes = [node | {"given": True} if kept else node for node, kept in zip(nodes, given[row], strict=False)]
        if likeness:
            metadata["similarity"] = round(likeness.of((types, pairs), metadata.get("smiles")), _DECIMALS)
            metadata["unchanged"] = likeness.is_same((types, pairs), metadata.get("smiles"))
        metadata |= {
            kind: {name: column[row] for name, column in columns.items()} for kind, columns in predicted.items()
        }
        yield index, Graph(graph=metadata, nodes=nodes, edges=_edges(pairs))


def encode_frames(batch: GeneratedBatch, card: ModelCard, plan: GenerationPlan) -> Iterator[tuple[int, Trajectory]]:
    """(index in the request, trajectory) for every graph of the batch."""
    grid = plan.times(card.diffusion.num_timesteps)
    # An absorbing prior has one more state than there are types.
    node_types, edge_types = [*card.node_types, MASK_TYPE], [*card.edge_types, MASK_TYPE]
    trajectories = zip(*(frame.labelled(node_types, edge_types) for frame in batch.frames), strict=True)
    for index, trajectory in zip(batch.indices.tolist(), trajectories, strict=True):
        frames = [
            Frame(step=step, t=grid[step], nodes=_nodes(types), edges=_edges(pairs))
            for step, (types, pairs) in zip(plan.kept_steps(len(grid) - 1), trajectory, strict=True)
        ]
        yield index, Trajectory(frames=frames)


def _nodes(types: Sequence[str]) -> list[dict[str, Any]]:
    return [{"id": i, "type": label} for i, label in enumerate(types)]


def _edges(pairs: Sequence[tuple[int, int, str]]) -> list[dict[str, Any]]:
    return [{"source": i, "target": j, "type": label} for i, j, label in pairs]


def _rounded(columns: Mapping[str, Tensor]) -> dict[str, list[float]]:
    return {name: [round(value, _DECIMALS) for value in column.tolist()] for name, column in columns.items()}


def _atom(label: str) -> dict[str, str | int]:
    element, charge = parse_atom_type(label)
    return {"element": element, "charge": charge}
