"""What a request requires of its graphs among each other: a graph is kept only if it differs from those that are kept already."""

from collections.abc import Iterator
from typing import Protocol

from app.schemas import AnyCompletedRequest, Graph
from models.similarity import Fingerprint


class Variety(Protocol):
    """A condition on a graph beside the kept ones, and the reason that the summary counts when it fails."""

    reason: str

    def admits(self, graph: Graph) -> bool:
        """Whether the graph differs enough from all that were added."""

    def add(self, graph: Graph) -> None:
        """Take a graph among those that others must differ from."""


class Unique:
    """No valid molecule twice."""

    reason = "unique"

    def __init__(self) -> None:
        self._kept: set[str] = set()

    def admits(self, graph: Graph) -> bool:
        return graph.graph["smiles"] not in self._kept

    def add(self, graph: Graph) -> None:
        if smiles := graph.graph["smiles"]:
            self._kept.add(smiles)


class Diverse:
    """No two valid molecules nearer than a distance: 1 less the Tanimoto similarity of their fingerprints."""

    reason = "diverse"

    def __init__(self, distance: float) -> None:
        self._distance = distance
        self._kept: list[Fingerprint] = []

    def admits(self, graph: Graph) -> bool:
        smiles = graph.graph["smiles"]
        return smiles is None or 1 - Fingerprint(smiles).most_similar(self._kept) >= self._distance

    def add(self, graph: Graph) -> None:
        if smiles := graph.graph["smiles"]:
            self._kept.append(Fingerprint(smiles))


def varieties(request: AnyCompletedRequest) -> Iterator[Variety]:
    """All conditions of a request on its graphs among each other."""
    if request.filter.unique:
        yield Unique()
    if request.filter.diverse is not None:
        yield Diverse(request.filter.diverse)
