"""Which graphs are isomorphic: the same up to the order of their nodes.

Colour refinement (one-dimensional Weisfeiler & Leman) sorts graphs into groups: a node's colour is hashed again and
again together with those of its neighbours and the types of the edges to them. Graphs in different groups differ; those
in one group are compared by networkx's VF2++, which uses the colours to prune its search.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import blake2b

import networkx as nx
from networkx.algorithms.isomorphism import categorical_edge_match, categorical_node_match

LabelledGraph = tuple[list[str], list[tuple[int, int, str]]]


class GraphSet:
    """Graphs up to isomorphism; a graph is the type of every node and (i, j, type) of every edge."""

    def __init__(self, graphs: Iterable[LabelledGraph] = ()) -> None:
        self._groups: dict[str, list[nx.Graph]] = defaultdict(list)
        for graph in graphs:
            self.add(graph)

    def __contains__(self, graph: LabelledGraph) -> bool:
        return self._holds(*_coloured(graph))

    def add(self, graph: LabelledGraph) -> bool:
        """Put a graph in; returns whether it is new."""
        signature, coloured = _coloured(graph)
        is_new = not self._holds(signature, coloured)
        if is_new:
            self._groups[signature].append(coloured)
        return is_new

    def _holds(self, signature: str, coloured: nx.Graph) -> bool:
        return any(_isomorphic(coloured, other) for other in self._groups.get(signature, ()))


def _coloured(graph: LabelledGraph) -> tuple[str, nx.Graph]:
    types, edges = graph
    neighbours: list[list[tuple[int, str]]] = [[] for _ in types]
    for i, j, label in edges:
        neighbours[i].append((j, label))
        neighbours[j].append((i, label))
    colours = list(types)
    num_colours = len(set(colours))
    while True:
        refined = [
            _digest(colour, *sorted(f"{label}:{colours[j]}" for j, label in near))
            for colour, near in zip(colours, neighbours, strict=True)
        ]
        now, num_colours, before = refined, len(set(refined)), num_colours
        if num_colours == before:
            break
        colours = now
    signature = _digest(*sorted(f"{colour}:{count}" for colour, count in Counter(now).items()))
    result = nx.Graph()
    result.add_nodes_from((node, {"colour": colour}) for node, colour in enumerate(now))
    result.add_edges_from((i, j, {"type": label}) for i, j, label in edges)
    return signature, result


def _isomorphic(one: nx.Graph, other: nx.Graph) -> bool:
    if len({label for _, _, label in one.edges(data="type")}) <= 1:
        return bool(nx.vf2pp_is_isomorphic(one, other, node_label="colour"))
    return bool(nx.is_isomorphic(one, other, categorical_node_match("colour", ""), categorical_edge_match("type", "")))


def _digest(*parts: str) -> str:
    return blake2b("|".join(parts).encode(), digest_size=12).hexdigest()
