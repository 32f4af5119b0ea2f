"""What a request requires of its graphs among each other: a graph is kept only if it differs from those that are kept already."""

from collections.abc import Iterator
from typing import Protocol

from app.schemas import AnyCompletedRequest, Graph


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


def varieties(request: AnyCompletedRequest) -> Iterator[Variety]:
    """All conditions of a request on its graphs among each other."""
    if request.filter.unique:
        yield Unique()
