"""What a request requires of each graph that it gets; another is drawn in place of a graph that fails."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from rdkit import Chem

from app.schemas import AnyCompletedRequest, Bounds, Graph, GraphFilter
from models.card.card import ModelCard
from models.descriptors import DESCRIPTORS
from models.given.formula import parse_formula
from models.molecules import stable_atoms
from models.rules.patterns import Patterns
from models.similarity import Fingerprint


@dataclass(frozen=True)
class Requirement:
    """One condition, and the reason that the summary counts when it fails."""

    reason: str
    holds: Callable[[Graph], bool]


def requirements(request: AnyCompletedRequest, card: ModelCard) -> Iterator[Requirement]:
    """All conditions of a request on single graphs, the cheapest first."""
    if request.filter.valid:
        yield Requirement("valid", lambda graph: graph.graph["valid"])
    if request.filter.stable:
        yield Requirement("stable", is_stable)
    if request.filter.connected:
        yield Requirement("connected", is_connected)
    if request.near is not None and request.near.strength > 0 and not request.near.unchanged:
        yield Requirement("unchanged", lambda graph: not graph.graph["unchanged"])
    if request.given is not None and request.given.formula is not None and not card.hydrogens_are_drawn:
        hydrogens = parse_formula(request.given.formula).hydrogens
        if hydrogens is not None:
            yield Requirement("formula", lambda graph: num_hydrogens(graph) == hydrogens)
    yield from _of_molecules(request.filter)


def _of_molecules(wanted: GraphFilter) -> Iterator[Requirement]:
    """Conditions that RDKit judges; a molecule that is not valid meets none of them."""
    if wanted.contains:
        yield Requirement("contains", _holds_of_molecule(Patterns(wanted.contains).all_in))
    if wanted.lacks:
        yield Requirement("lacks", _holds_of_molecule(Patterns(wanted.lacks).none_in))
    for name, bounds in wanted.properties.items():
        yield Requirement(name, _holds_of_molecule(partial(_is_within, DESCRIPTORS[name], bounds)))
    if wanted.similarity is not None:
        yield _similarity(wanted.similarity.smiles, wanted.similarity)


def _is_within(compute: Callable[[Chem.Mol], float], bounds: Bounds, molecule: Chem.Mol) -> bool:
    return compute(molecule) in bounds


def _similarity(reference: str, bounds: Bounds) -> Requirement:
    fingerprint = Fingerprint(reference)

    def holds(graph: Graph) -> bool:
        smiles = graph.graph["smiles"]
        return smiles is not None and fingerprint.similarity(Fingerprint(smiles)) in bounds

    return Requirement("similarity", holds)


def _holds_of_molecule(holds: Callable[[Chem.Mol], bool]) -> Callable[[Graph], bool]:
    """A condition on molecules as one on graphs."""

    def holds_of_graph(graph: Graph) -> bool:
        smiles = graph.graph["smiles"]
        return smiles is not None and holds(Chem.MolFromSmiles(smiles))

    return holds_of_graph


def num_hydrogens(graph: Graph) -> int | None:
    """Hydrogens of a molecule; None if it is not valid."""
    smiles = graph.graph["smiles"]
    return None if smiles is None else sum(atom.GetTotalNumHs() for atom in Chem.MolFromSmiles(smiles).GetAtoms())


def is_stable(graph: Graph) -> bool:
    """Whether each atom of a molecule with its hydrogens has as many bonds as it should."""
    bonds = [(edge["source"], edge["target"], edge["type"]) for edge in graph.edges]
    return all(stable_atoms([node["type"] for node in graph.nodes], bonds))


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
