"""How like a drawn graph is to the one that it began near.

    molecules       Tanimoto similarity of Morgan fingerprints of radius 2 in 2,048 bits; of an invalid one 0
    other graphs    overlap of edges, |E1 and E2| / |E1 or E2|, node by node: nodes keep their numbers on the way

Reference: Rogers & Hahn 2010, Extended-connectivity fingerprints, doi:10.1021/ci100050t
"""

from collections.abc import Sequence

from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity, ExplicitBitVect, TanimotoSimilarity

from models.card.card import ModelCard
from models.given.partial import PartialGraph
from models.molecules import canonical_smiles, to_molecule

Labelled = tuple[Sequence[str], Sequence[tuple[int, int, str]]]
_FINGERPRINTS = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)


class Likeness:
    """Similarity to one graph."""

    def __init__(self, graph: PartialGraph, card: ModelCard) -> None:
        self._types = [card.node_types[node or 0] for node in graph.nodes]
        self._edges = {(*pair, card.edge_types[category]) for pair, category in graph.pairs.items() if category}
        self._smiles: str | None = None
        if card.domain == "molecule":
            molecule = to_molecule(self._types, list(self._edges), hydrogens_are_drawn=card.hydrogens_are_drawn)
            self._smiles = canonical_smiles(molecule)
        self._fingerprint = _fingerprint(self._smiles) if self._smiles else None

    def of(self, graph: Labelled, smiles: str | None) -> float:
        """From 0 to 1; `smiles` is the canonical one of a valid molecule."""
        if self._fingerprint is not None:
            return 0.0 if smiles is None else float(TanimotoSimilarity(self._fingerprint, _fingerprint(smiles)))
        edges = _edges(graph)
        return len(edges & self._edges) / max(len(edges | self._edges), 1)

    def is_same(self, graph: Labelled, smiles: str | None) -> bool:
        """Whether it is that very graph."""
        if self._smiles is not None:
            return smiles == self._smiles
        return _edges(graph) == self._edges and list(graph[0]) == self._types


class Fingerprint:
    """The fingerprint of a molecule, to compare with others."""

    def __init__(self, smiles: str) -> None:
        self._bits = _fingerprint(smiles)

    def similarity(self, other: "Fingerprint") -> float:
        """Tanimoto similarity, from 0 to 1."""
        return float(TanimotoSimilarity(self._bits, other._bits))

    def most_similar(self, others: Sequence["Fingerprint"]) -> float:
        """The similarity to the most similar of some; 0 if there are none."""
        found: list[float] = BulkTanimotoSimilarity(self._bits, [other._bits for other in others])
        return max(found, default=0.0)


def _edges(graph: Labelled) -> set[tuple[int, int, str]]:
    return {(min(i, j), max(i, j), label) for i, j, label in graph[1]}


def _fingerprint(smiles: str) -> ExplicitBitVect:
    fingerprint: ExplicitBitVect = _FINGERPRINTS.GetFingerprint(Chem.MolFromSmiles(smiles))
    return fingerprint
