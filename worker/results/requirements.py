"""What a request requires of each graph that it gets; a graph that fails is drawn again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rdkit import Chem

from app.schemas import AnyCompletedRequest, Graph
from models.card.card import ModelCard
from models.given.formula import parse_formula


@dataclass(frozen=True)
class Requirement:
    """One condition, and the reason that the summary counts when it fails."""

    reason: str
    holds: Callable[[Graph], bool]


def requirements(request: AnyCompletedRequest, card: ModelCard) -> Iterator[Requirement]:
    """All conditions of a request on single graphs, the cheapest first."""
    if request.filter.valid:
        yield Requirement("valid", lambda graph: graph.graph["smiles"] is not None)
    if request.filter.connected:
        yield Requirement("connected", is_connected)
    if request.near is not None and request.near.strength > 0 and not request.near.unchanged:
        yield Requirement("unchanged", lambda graph: not graph.graph["unchanged"])
    if request.given is not None and request.given.formula is not None and not card.hydrogens_are_drawn:
        hydrogens = parse_formula(request.given.formula).hydrogens
        if hydrogens is not None:
            yield Requirement("formula", lambda graph: num_hydrogens(graph) == hydrogens)


def num_hydrogens(graph: Graph) -> int | None:
    """Hydrogens of a molecule; None if it is not valid."""
    smiles = graph.graph["smiles"]
    return None if smiles is None else sum(atom.GetTotalNumHs() for atom in Chem.MolFromSmiles(smiles).GetAtoms())


def is_connected(graph: Graph) -> bool:
    """Whether every node can be reached from the first."""
    neighbours: dict[int, list[int]] = {node["id"]: [] for node in graph.nodes}
    for edge in graph.edges:
        neighbours[edge["source"]].append(edge["target"])
        neighbours[edge["target"]].append(edge["source"])
    found, next_ones = {0}, [0]
    while next_ones:
        new = set(neighbours[next_ones.pop()]) - found
        found |= new
        next_ones += new
    return len(found) == len(neighbours)
