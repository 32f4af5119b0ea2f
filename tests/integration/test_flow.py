"""The whole service as a user runs it: `digress serve`, the shipped checkpoint, HTTP."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import networkx as nx
import pytest
from rdkit import Chem

from models.molecules import canonical_smiles
from tests.servers import DIGRESS, free_port, stack, wait_until

REQUEST = {"model": "qm9", "num_graphs": 16, "seed": 7}
WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with stack(tmp_path_factory.mktemp("stack")) as (client, _):
        yield client


@pytest.fixture(scope="module")
def job(client: httpx2.Client) -> Any:
    answer = client.post("/generate", json=REQUEST, headers=WAIT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Preference-Applied"] == "wait=60"
    return answer.json()


def test_a_request_gives_as_many_graphs_as_asked_for(job: Any) -> None:
    assert job["status"] == "succeeded"
    assert len(job["graphs"]) == 16
    assert job["progress"] == {"fraction": 1.0, "graphs_done": 16, "num_graphs": 16}
    assert job["summary"]["valid"] >= 15


def test_networkx_and_rdkit_read_every_graph_and_agree_with_its_smiles(job: Any) -> None:
    for graph in job["graphs"]:
        found = nx.node_link_graph(graph, edges="edges")
        assert sorted(found.nodes) == list(range(len(found)))
        molecule = Chem.RWMol()
        for _, node in sorted(found.nodes(data=True)):
            atom = Chem.Atom(node["element"])
            atom.SetFormalCharge(node["charge"])
            molecule.AddAtom(atom)
        for begin, end, edge in found.edges(data=True):
            molecule.AddBond(begin, end, Chem.BondType.names[edge["type"].upper()])
        assert canonical_smiles(molecule) == graph["graph"]["smiles"]
        assert (graph["graph"]["smiles"] is not None) == graph["graph"]["valid"]


def test_the_same_seed_gives_the_same_graphs_alone_and_in_a_crowd(client: httpx2.Client, job: Any) -> None:
    others = [{"model": "qm9", "num_graphs": n, "seed": n, "num_steps": 10} for n in (1, 5, 40)]

    with ThreadPoolExecutor(4) as pool:
        posts = [pool.submit(client.post, "/generate", json=body, headers=WAIT) for body in (*others, REQUEST)]
        answers = [post.result().json() for post in posts]

    assert all(answer["status"] == "succeeded" for answer in answers)
    assert answers[-1]["graphs"] == job["graphs"]
    assert answers[0]["graphs"] != job["graphs"][:1]


def test_the_command_line_draws_the_same_graphs_without_redis(job: Any) -> None:
    done = subprocess.run(
        [DIGRESS, "sample", "qm9", "-n", "16", "--seed", "7"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "DIGRESS_REDIS_URL": "redis://nowhere:1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert [json.loads(line) for line in done.stdout.splitlines()] == job["graphs"]


def test_a_job_can_be_polled_with_and_without_its_graphs(client: httpx2.Client) -> None:
    answer = client.post(
        "/generate", json={"model": "qm9", "num_graphs": 3, "num_nodes": {"min": 5, "max": 7}, "num_steps": 10}
    )
    location = answer.headers["Location"]

    wait_until(lambda: client.get(location).json()["status"] == "succeeded", seconds=60)

    whole, lean = client.get(location).json(), client.get(location, params={"graphs": "false"}).json()
    assert answer.status_code == 202
    assert all(5 <= len(graph["nodes"]) <= 7 for graph in whole["graphs"])
    assert lean["graphs"] is None
    assert lean | {"graphs": whole["graphs"]} == whole


def test_the_service_is_ready_and_lists_its_model_with_measured_quality(client: httpx2.Client) -> None:
    ready, cards = client.get("/health/ready"), client.get("/models").json()

    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "redis": True, "workers": 1})
    card = next(card for card in cards if card["name"] == "qm9")
    assert card["training"]["num_graphs"] == 97_734
    measured = next(m for m in card["metrics"] if m["num_steps"] == card["sampling"]["num_steps"])
    assert measured["command"].startswith("digress evaluate qm9")
    assert {"valid", "valid_and_connected", "unique", "novel", "fcd"} <= set(measured["values"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "zinc"}, "model"),
        ({"model": "qm9", "num_graphs": 0}, "num_graphs"),
        ({"model": "qm9", "num_graphs": 10_001}, "num_graphs"),
        ({"model": "qm9", "num_nodes": 10}, "num_nodes"),
        ({"model": "qm9", "temperature": 1}, "temperature"),
        ({"model": "qm9", "seed": "seven"}, "seed"),
    ],
)
def test_bad_input_is_answered_by_a_problem_that_names_the_field(client: httpx2.Client, body: Any, field: str) -> None:
    answer = client.post("/generate", json=body)

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_interrupting_the_service_stops_everything_and_frees_the_port(tmp_path_factory: pytest.TempPathFactory) -> None:
    with stack(tmp_path_factory.mktemp("interrupted")) as (client, process):
        port = client.base_url.port
        children = child_processes(process.pid)
        assert len(children) == 3

        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0

    assert not [pid for pid in children if is_running(pid)]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_losing_a_part_stops_the_rest_and_says_which(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("broken")
    with stack(folder) as (_, process):
        children = child_processes(process.pid)

        os.kill(children[1], signal.SIGKILL)

        assert process.wait(30) == 1
        assert "worker ended with status -9" in (folder / "serve.log").read_text()
        assert not [pid for pid in children if is_running(pid)]


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [DIGRESS, "serve"],
            env=os.environ | {"DIGRESS_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def child_processes(pid: int) -> list[int]:
    """Process ids of redis, worker and API, in the order of starting."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True)
    return sorted(int(line) for line in done.stdout.split())


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
