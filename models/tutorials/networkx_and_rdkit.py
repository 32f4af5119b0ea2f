"""Graphs from a running service, in the hands of networkx and RDKit.

    python networkx_and_rdkit.py [http://127.0.0.1:8000]

asks for molecules near a dipole moment and for graphs of two communities, and does with them what one does: counts, compares,
selects, draws. It needs networkx and RDKit; the rest is Python's own.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import networkx as nx
from rdkit import Chem
from rdkit.Chem import Descriptors, Draw

SERVICE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"


def ask(path: str, **request: Any) -> list[dict[str, Any]]:
    """The graphs of a job, in node-link form; waits up to a minute for them."""
    headers = {"Content-Type": "application/json", "Prefer": "wait=60"}
    with urlopen(Request(SERVICE + path, json.dumps(request).encode(), headers)) as answer:
        job = json.load(answer)
    if job["status"] != "succeeded":
        raise SystemExit(f"the job is {job['status']}; look again at {SERVICE}{job['links']['self']}")
    graphs: list[dict[str, Any]] = job["graphs"]
    return graphs


def molecules() -> None:
    """Molecules of about 3 D: which are drug-like, and how they look."""
    found = ask("/generate/conditional", model="qm9", num_graphs=8, seed=1, targets={"mu": 3.0}, filter={"valid": True})
    rows = [(graph["graph"]["smiles"], graph["graph"]["properties"]["mu"]) for graph in found]
    drawn = [Chem.MolFromSmiles(smiles) for smiles, _ in rows]
    for (smiles, dipole), molecule in zip(rows, drawn, strict=True):
        print(f"{smiles:24}  mu {dipole:.2f} D (predicted)  QED {Descriptors.qed(molecule):.2f}")
    picture = Draw.MolsToGridImage(drawn, molsPerRow=4, legends=[f"{dipole:.2f} D" for _, dipole in rows], useSVG=True)
    Path("molecules.svg").write_text(picture, encoding="utf-8")


def communities() -> None:
    """Graphs of two communities: are there two, and what is within and between them?"""
    for answer in ask("/generate", model="comm20", num_graphs=4, seed=1):
        graph = nx.node_link_graph(answer, edges="edges")
        groups = nx.community.greedy_modularity_communities(graph, cutoff=2, best_n=2)
        place = {node: number for number, group in enumerate(groups) for node in group}
        edges = Counter("within" if place[i] == place[j] else "between" for i, j in graph.edges)
        print(
            f"{len(graph)} nodes in groups of {sorted(map(len, groups))}: {edges['within']} edges within, {edges['between']} between"
        )
        nx.write_graphml(graph, f"communities-{answer['graph']['seed']}.graphml")


if __name__ == "__main__":
    molecules()
    communities()
