import networkx as nx
import torch
from networkx.algorithms.isomorphism import categorical_edge_match, categorical_node_match

from models.card.card import ModelCard
from models.generation import GeneratedBatch
from models.graphs import GraphBatch
from tests.conftest import make_card, random_graphs
from worker.encoding import encode


def encoded(card: ModelCard, graphs: GraphBatch) -> dict[int, dict[str, object]]:
    batch = GeneratedBatch(torch.arange(len(graphs)) + 3, torch.arange(len(graphs)) - 5, graphs)
    return {index: graph.model_dump(mode="json") for index, graph in encode(batch, card)}


def test_networkx_reads_a_graph_as_it_is() -> None:
    card, graphs = make_card(), random_graphs([1, 4, 9])

    for index, graph in encoded(card, graphs).items():
        found = nx.node_link_graph(graph, edges="edges")
        expected = nx.Graph()
        row, size = index - 3, int(graphs.num_nodes[index - 3])
        expected.add_nodes_from((i, {"type": card.node_types[graphs.nodes[row, i]]}) for i in range(size))
        expected.add_edges_from(
            (i, j, {"type": card.edge_types[graphs.edges[row, i, j]]})
            for j in range(size)
            for i in range(j)
            if graphs.edges[row, i, j]
        )
        same_types = {
            "node_match": categorical_node_match("type", None),
            "edge_match": categorical_edge_match("type", None),
        }
        assert nx.is_isomorphic(found, expected, **same_types)
        assert not found.is_directed()


def test_a_molecule_tells_its_smiles_elements_and_charges() -> None:
    nodes = torch.tensor([[3, 0, 2]])  # N+, C, O
    edges = torch.zeros(1, 3, 3, dtype=torch.long)
    edges[0, 0, 1] = edges[0, 1, 0] = 1
    edges[0, 1, 2] = edges[0, 2, 1] = 2

    graph = encoded(make_card(), GraphBatch(nodes, edges, torch.tensor([3])))[3]

    assert graph["graph"] == {"model": "tiny", "seed": -5, "smiles": "[NH3+]C=O", "valid": True}
    assert graph["nodes"][0] == {"id": 0, "type": "N+", "element": "N", "charge": 1}  # type: ignore[index]
    assert graph["edges"] == [
        {"source": 0, "target": 1, "type": "single"},
        {"source": 1, "target": 2, "type": "double"},
    ]


def test_an_impossible_molecule_is_marked_and_kept() -> None:
    edges = torch.full((1, 4, 4), 2) * ~torch.eye(4, dtype=torch.bool)

    graph = encoded(make_card(), GraphBatch(torch.zeros(1, 4, dtype=torch.long), edges, torch.tensor([4])))[3]

    assert graph["graph"] == {"model": "tiny", "seed": -5, "smiles": None, "valid": False}
    assert len(graph["edges"]) == 6  # type: ignore[arg-type]


def test_a_graph_without_chemistry_has_neither() -> None:
    card = make_card().model_copy(update={"domain": "graph"})

    graph = encoded(card, random_graphs([3]))[3]

    assert graph["graph"] == {"model": "tiny", "seed": -5}
    assert set(graph["nodes"][0]) == {"id", "type"}  # type: ignore[index]


def test_a_graph_of_a_family_says_whether_it_follows_the_rule() -> None:
    card = make_card().model_copy(update={"domain": "graph", "validity": "tree"})
    edges = torch.zeros(2, 3, 3, dtype=torch.long)
    edges[:, 0, 1] = edges[:, 1, 0] = edges[1, 1, 2] = edges[1, 2, 1] = 1

    found = encoded(card, GraphBatch(torch.zeros(2, 3, dtype=torch.long), edges, torch.tensor([3, 3])))

    assert [graph["graph"] for graph in found.values()] == [
        {"model": "tiny", "seed": -5, "valid": False},
        {"model": "tiny", "seed": -4, "valid": True},
    ]
    assert set(found[3]["nodes"][0]) == {"id", "type"}  # type: ignore[index]
