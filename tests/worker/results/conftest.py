from typing import Any

from app.schemas import Graph


def make_graph(smiles: str | None, *, edges: list[tuple[int, int]] | None = None, num_nodes: int = 3) -> Graph:
    links: list[dict[str, Any]] = [{"source": i, "target": j, "type": "single"} for i, j in edges or [(0, 1), (1, 2)]]
    nodes: list[dict[str, Any]] = [{"id": i, "type": "C"} for i in range(num_nodes)]
    return Graph(graph={"smiles": smiles, "valid": smiles is not None}, nodes=nodes, edges=links)
