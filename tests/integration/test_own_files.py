"""What somebody new does: five minutes of training on files of their own, a few hundred graphs each, then a service."""

import shutil
from pathlib import Path
from statistics import fmean

import networkx as nx
import pytest

from models.data import qm9
from models.data.synthetic import draw
from models.descriptors import describe
from models.evaluation.graphs import adjacencies
from tests.forked import digress
from tests.servers import stack

pytestmark = pytest.mark.long
WAIT = {"Prefer": "wait=60"}


def write_molecules(folder: Path) -> Path:
    """500 SMILES with their logP."""
    path = folder / "molecules.csv"
    rows = [f"{smiles},{describe(smiles)['logp']:.3f}" for smiles in qm9.read_smiles()["train"][:500]]
    path.write_text("\n".join(["smiles,logP", *rows]) + "\n")
    return path


def write_networks(folder: Path) -> Path:
    """200 graphs, a GraphML file each."""
    path = folder / "networks"
    path.mkdir()
    for number, adjacency in enumerate(adjacencies(draw("comm20", 200, seed=9))):
        nx.write_graphml(nx.from_numpy_array(adjacency), path / f"{number}.graphml")
    return path


def test_files_of_a_few_hundred_graphs_are_trained_on_for_five_minutes_and_served(tmp_path: Path) -> None:
    for file in (write_molecules(tmp_path), write_networks(tmp_path)):
        trained = digress("train", "--data", str(file), "--max-minutes", "5", cwd=tmp_path)
        assert trained.returncode == 0, trained.stderr
        shutil.copytree(tmp_path / "runs" / file.stem / file.stem, tmp_path / "checkpoints" / file.stem)

    with stack(tmp_path, {"DIGRESS_CHECKPOINTS": str(tmp_path / "checkpoints")}) as (client, _):
        molecules = client.post(
            "/generate", json={"model": "molecules", "num_graphs": 100, "seed": 1}, headers=WAIT
        ).json()
        networks = client.post(
            "/generate", json={"model": "networks", "num_graphs": 50, "seed": 1}, headers=WAIT
        ).json()
        body = {"model": "molecules", "num_graphs": 10, "seed": 1, "targets": {"logp": 1.0}, "filter": {"valid": True}}
        steered = client.post("/generate/conditional", json=body, headers=WAIT).json()

    assert {job["status"] for job in (molecules, networks, steered)} == {"succeeded"}
    misses, others = (
        [abs(describe(graph["graph"]["smiles"])["logp"] - 1.0) for graph in job["graphs"] if graph["graph"]["valid"]]
        for job in (steered, molecules)
    )
    in_one_piece = [nx.is_connected(nx.node_link_graph(graph, edges="edges")) for graph in networks["graphs"]]
    print(f"\nvalid molecules: {molecules['summary']['valid']} of 100, off a logP of 1.0 by {fmean(others)}")  # noqa: T201
    print(f"steered to it, off by: {misses}")  # noqa: T201
    print(f"networks in one piece: {sum(in_one_piece)} of 50")  # noqa: T201
    assert molecules["summary"]["valid"] > 30
    assert fmean(misses) < fmean(others) / 2
    # 41 when this was written, beside a training; of the graphs of the files all are.
    assert sum(in_one_piece) > 40
