"""What a picture of a graph shows: where its nodes are, and what their colours mean.

Colours show node types, if a graph has several. Otherwise they show structure: the levels of a tree, or communities
(found as in Blondel et al. 2008) if few edges run between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from app.pictures.colours import LEVEL_COLOURS, PALETTE
from app.pictures.layout import Positions, radial_layout, stress_layout
from app.schemas import Graph

# A graph has communities if at most this share of its edges runs between them, and it has enough edges.
_MAX_SHARE_BETWEEN = 0.15
_MIN_EDGES_PER_NODE = 1.5


@dataclass(frozen=True)
class Vocabulary:
    """The node and edge types of a model; each type has the same colour in all of the model's graphs."""

    node_types: Sequence[str] = ()
    edge_types: Sequence[str] = ()

    def extended_by(self, graph: Graph) -> "Vocabulary":
        """This vocabulary, extended by further types of a graph in alphabetical order."""
        nodes, edges = ({part["type"] for part in parts} for parts in (graph.nodes, graph.edges))
        return Vocabulary(
            [*self.node_types, *sorted(nodes - set(self.node_types))],
            [*self.edge_types, *sorted(edges - set(self.edge_types))],
        )


EMPTY_VOCABULARY = Vocabulary()


@dataclass(frozen=True)
class Appearance:
    """How the nodes of a graph are drawn: `positions` (n, 2) in any unit.

    Where colours do not show types, `colours` has one for each node, and `caption` says what they show.
    """

    positions: Positions
    colours: tuple[str, ...] | None = None
    caption: str = ""
    num_rings: int = 0


def choose_appearance(graph: Graph, vocabulary: Vocabulary) -> Appearance:
    """The appearance of a graph: its types, its levels as a tree, or its communities."""
    index = {node["id"]: place for place, node in enumerate(graph.nodes)}
    edges = [(index[edge["source"]], index[edge["target"]]) for edge in graph.edges]
    if "smiles" in graph.graph or len(vocabulary.extended_by(graph).node_types) > 1:
        return Appearance(stress_layout(len(index), edges))
    structure = nx.Graph(edges)
    structure.add_nodes_from(range(len(index)))
    if len(index) > 2 and nx.is_tree(structure):
        positions, levels = radial_layout(structure)
        depth = max(levels)
        colours = tuple(LEVEL_COLOURS[round(level / depth * (len(LEVEL_COLOURS) - 1))] for level in levels)
        return Appearance(positions, colours, f"a tree of {depth} levels about its middle", depth)
    if groups := _communities(structure):
        colours = tuple(PALETTE[group % len(PALETTE)] for group in groups)
        return Appearance(stress_layout(len(index), edges, groups), colours, f"{max(groups) + 1} communities")
    return Appearance(stress_layout(len(index), edges))


def _communities(graph: nx.Graph) -> list[int] | None:
    """Each node's community, numbered from the largest; None if the graph has no clear communities."""
    if graph.number_of_edges() < _MIN_EDGES_PER_NODE * len(graph):
        return None
    found = sorted(nx.community.louvain_communities(graph, seed=0), key=lambda group: (-len(group), min(group)))
    number_of = {node: number for number, group in enumerate(found) for node in group}
    between = sum(number_of[i] != number_of[j] for i, j in graph.edges)
    if len(found) < 2 or between > _MAX_SHARE_BETWEEN * graph.number_of_edges():
        return None
    return [number_of[node] for node in range(len(graph))]


def given_nodes(graph: Graph) -> frozenset[int]:
    """The places of the nodes to highlight: those that were given, unless all were."""
    given = frozenset(place for place, node in enumerate(graph.nodes) if node.get("given"))
    return given if len(given) < len(graph.nodes) else frozenset()
