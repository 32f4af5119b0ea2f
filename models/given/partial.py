"""A graph of which only some is known: what a request keeps, while the rest is drawn.

Its nodes are the first nodes of every graph that is drawn from it. There is no torch and no RDKit here: the API checks requests with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace


class GivenError(ValueError):
    """Something given that no graph of the model can have; the message says what would be right, `field` where it stands."""

    field = ""


@dataclass(frozen=True)
class PartialGraph:
    """Categories by number; what is not named is open, and so is everything about further nodes."""

    nodes: tuple[int | None, ...]
    """The category of each node; None is open."""
    pairs: Mapping[tuple[int, int], int]
    """(i, j) with i < j -> the category of the pair; 0 is no edge."""
    closed: frozenset[int] = frozenset()
    """Nodes without an edge to any further node."""

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be joined to it."""
        return len(self.closed) == len(self.nodes)

    def with_further(self, categories: Mapping[int, int]) -> "PartialGraph":
        """The same with further nodes, category -> how many, whose pairs are open."""
        further = tuple(category for category, count in sorted(categories.items()) for _ in range(count))
        # Pairs of closed nodes with these are no edges; with all others they are none by being closed.
        apart = {(i, j): 0 for i in self.closed for j in range(len(self), len(self) + len(further))}
        return replace(self, nodes=self.nodes + further, pairs={**self.pairs, **apart})

    def at(self, places: tuple[int, ...], num_nodes: int) -> "PartialGraph":
        """The same as part of a graph of `num_nodes` nodes: node i is number `places[i]` there."""
        nodes: list[int | None] = [None] * num_nodes
        for node, place in zip(self.nodes, places, strict=True):
            nodes[place] = node
        pairs = {
            (min(places[i], places[j]), max(places[i], places[j])): category for (i, j), category in self.pairs.items()
        }
        others = [place for place in range(num_nodes) if place not in set(places)]
        pairs |= {(min(places[i], other), max(places[i], other)): 0 for i in self.closed for other in others}
        return PartialGraph(tuple(nodes), pairs)


def count_known(partial: PartialGraph) -> dict[int, int]:
    """Category -> how many nodes are known to have it."""
    counts: dict[int, int] = {}
    for node in partial.nodes:
        if node is not None:
            counts[node] = counts.get(node, 0) + 1
    return counts
