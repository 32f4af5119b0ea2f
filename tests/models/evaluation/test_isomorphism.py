import networkx as nx
import numpy as np
import pytest

from models.evaluation.isomorphism import GraphSet, LabelledGraph


def labelled(graph: nx.Graph, *, types: list[str] | None = None, edge: str = "edge") -> LabelledGraph:
    return types or ["node"] * len(graph), [(i, j, edge) for i, j in graph.edges]


def renamed(graph: LabelledGraph, seed: int) -> LabelledGraph:
    types, edges = graph
    order = np.random.default_rng(seed).permutation(len(types)).tolist()
    places = {old: new for new, old in enumerate(order)}
    return [types[old] for old in order], [(places[i], places[j], label) for i, j, label in edges]


@pytest.mark.parametrize(
    "graph",
    [nx.random_labeled_tree(64, seed=1), nx.star_graph(40), nx.triangular_lattice_graph(6, 6), nx.petersen_graph()],
)
def test_a_renamed_graph_is_known(graph: nx.Graph) -> None:
    graph = labelled(nx.convert_node_labels_to_integers(graph))
    known = GraphSet([graph])

    assert all(renamed(graph, seed) in known for seed in range(5))
    assert not known.add(renamed(graph, 9))


def test_graphs_that_colours_do_not_tell_apart_are_told_apart() -> None:
    triangles, hexagon = nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)), nx.cycle_graph(6)

    assert labelled(triangles) not in GraphSet([labelled(hexagon)])


def test_types_of_nodes_and_edges_count() -> None:
    path = nx.path_graph(3)
    known = GraphSet([labelled(path, types=["C", "C", "O"])])

    assert labelled(path, types=["O", "C", "C"]) in known
    assert labelled(path, types=["C", "O", "C"]) not in known
    assert labelled(path, types=["C", "C", "O"], edge="double") not in known


def test_where_edges_of_two_types_lie_counts() -> None:
    def ring(doubles: set[int]) -> LabelledGraph:
        return ["C"] * 6, [(i, (i + 1) % 6, "double" if i in doubles else "single") for i in range(6)]

    known = GraphSet([ring({0, 2})])

    assert ring({1, 3}) in known
    assert ring({0, 3}) not in known
