"""Small files of graphs, written as users write them."""

import json
from pathlib import Path

import networkx as nx

from models.data.files.load import FileData

SMILES = ["C", "CC", "CCO", "C=O", "C#N", "c1ccccc1", "CC(=O)[O-]", "N", "CN", "CCC", "N#CCO", "C1CC1"]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def labelled_graphs(count: int = 12) -> list[nx.Graph]:
    graphs = []
    for seed in range(count):
        graph = nx.connected_watts_strogatz_graph(6 + seed % 3, 4, 0.3, seed=seed)
        nx.set_node_attributes(graph, {node: "red" if node % 3 else "blue" for node in graph}, "type")
        nx.set_edge_attributes(graph, {edge: "thin" if sum(edge) % 2 else "thick" for edge in graph.edges}, "type")
        graph.graph["density"] = nx.density(graph) + seed
        graphs.append(graph)
    return graphs


def as_json(graph: nx.Graph) -> str:
    found = nx.node_link_data(graph, edges="edges")
    return json.dumps(found | {"graph": {"properties": {"density": graph.graph["density"]}}})


def as_graphml(graphs: list[nx.Graph], path: Path) -> Path:
    writer = nx.readwrite.graphml.GraphMLWriter()
    writer.add_graphs(graphs)
    with path.open("wb") as file:
        writer.dump(file)
    return path


def all_graphs(data: FileData) -> list[tuple[list[str], list[tuple[int, int, str]]]]:
    found = data.graphs
    return [
        graph
        for part in (found.train, found.validation, found.test)
        for graph in part.labelled(found.node_types, found.edge_types)
    ]
