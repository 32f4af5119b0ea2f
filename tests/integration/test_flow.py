"""The whole service as a user runs it: `digress serve`, the shipped checkpoint, HTTP."""

import json
import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import networkx as nx
import pytest
from rdkit import Chem

from app.commands.supervisor import free_port
from models.card.folder import read_cards, shipped_checkpoints
from models.molecules import canonical_smiles
from tests.conftest import ShippedService
from tests.servers import DIGRESS, children_of, is_running, only, stack, wait_until

REQUEST = {"model": "qm9", "num_graphs": 16, "seed": 7}
WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def client(shipped_service: ShippedService) -> httpx2.Client:
    return shipped_service.client


@pytest.fixture(scope="module")
def job(client: httpx2.Client) -> Any:
    answer = client.post("/generate", json=REQUEST, headers=WAIT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Preference-Applied"] == "wait=60"
    return answer.json()


def test_a_request_gives_as_many_graphs_as_asked_for(job: Any) -> None:
    assert job["status"] == "succeeded"
    assert len(job["graphs"]) == 16
    assert job["progress"] == {
        "fraction": 1.0,
        "graphs_done": 16,
        "num_graphs": 16,
        "position": None,
        "eta_seconds": None,
    }
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


def test_a_filter_draws_again_until_it_is_satisfied(client: httpx2.Client) -> None:
    body = {"model": "qm9", "num_graphs": 30, "num_nodes": {"min": 2, "max": 3}, "seed": 3, "num_steps": 5}
    wishes = {"valid": True, "unique": True, "connected": True}

    plain, filtered, again = (
        client.post("/generate", json=body | more, headers=WAIT).json()
        for more in ({}, {"filter": wishes}, {"filter": wishes})
    )

    found = [graph["graph"]["smiles"] for graph in filtered["graphs"]]
    assert plain["summary"]["unique"] < 30
    assert len(found) == len(set(found)) == 30 - filtered["summary"]["short"]
    assert len(found) > plain["summary"]["unique"]
    assert None not in found
    assert not any("." in smiles for smiles in found)
    assert again["graphs"] == filtered["graphs"]


@pytest.mark.parametrize("threads", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_the_command_line_draws_the_same_graphs_without_redis_on_any_number_of_threads(job: Any, threads: str) -> None:
    done = subprocess.run(
        [DIGRESS, "sample", "qm9", "-n", "16", "--seed", "7"],
        env=os.environ | {"OMP_NUM_THREADS": threads, "DIGRESS_REDIS_URL": "redis://nowhere:1"},
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


@pytest.mark.parametrize("name", sorted(read_cards(shipped_checkpoints())))
def test_every_shipped_model_is_served(client: httpx2.Client, name: str) -> None:
    card = client.get(f"/models/{name}").json()
    body = {"model": name, "num_graphs": 2, "seed": 3, "num_steps": 5}

    answers = [client.post("/generate", json=body, headers={"Prefer": "wait=60"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = (answer.json()["graphs"] for answer in answers)
    assert first == second
    assert len(first) == 2
    for graph in first:
        assert str(len(graph["nodes"])) in card["size_distribution"]
        assert {node["type"] for node in graph["nodes"]} <= set(card["node_types"])
        assert {edge["type"] for edge in graph["edges"]} <= set(card["edge_types"][1:])
        assert nx.node_link_graph(graph, edges="edges").number_of_nodes() == len(graph["nodes"])
    assert any(measured["num_graphs"] >= 100 for measured in card["metrics"])


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


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"model": "qm9", "num_graphs": 1' + b" " * 70_000 + b"}", "application/json", 413),
        (b'{"model": "qm9"', "application/json", 400),
        (b"model=qm9", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_cannot_be_read_is_answered_by_a_problem(
    client: httpx2.Client, body: bytes, content_type: str, status: int
) -> None:
    answer = client.post("/generate", content=body, headers={"Content-Type": content_type})

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGHUP))],
)
def test_a_signal_stops_everything_and_frees_the_port(
    tmp_path_factory: pytest.TempPathFactory, number: signal.Signals
) -> None:
    folder = tmp_path_factory.mktemp("interrupted")
    with stack(folder, only(folder, "comm20")) as (client, process):
        port = client.base_url.port
        children = children_of(process.pid)
        assert len(children) == 3

        process.send_signal(number)
        assert process.wait(30) == 0

    assert not [pid for pid in children if is_running(pid)]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_a_second_signal_amid_a_job_and_a_waiting_client_leaves_nothing_behind(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("busy")
    settings = only(folder, "comm20") | {"DIGRESS_DRAIN_SECONDS": "2"}
    with stack(folder, settings) as (client, process), ThreadPoolExecutor() as pool:
        children = children_of(process.pid)
        body = {"model": "comm20", "num_graphs": 10_000, "num_steps": 500}
        waiting = pool.submit(client.post, "/generate", json=body, headers=WAIT)
        wait_until(lambda: not waiting.done() and client.get("/health/live").is_success, seconds=10)
        time.sleep(1)

        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)

        assert process.wait(30) == 0
        assert waiting.result(10).status_code == 202
        assert waiting.result().headers["Location"].startswith("/jobs/")
        assert b"Traceback" not in (folder / "serve.log").read_bytes()
    assert not [pid for pid in children if is_running(pid)]


def test_losing_a_part_stops_the_rest_and_says_which(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("broken")
    with stack(folder, only(folder, "comm20")) as (_, process):
        children = children_of(process.pid)

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


def conditional(client: httpx2.Client, **changes: Any) -> Any:
    request = {"model": "qm9", "num_graphs": 16, "seed": 1, "targets": {"mu": 0.5}, **changes}
    answer = client.post("/generate/conditional", json=request, headers=WAIT, timeout=90)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_small_and_a_large_dipole_moment_give_two_clearly_separated_sets(client: httpx2.Client) -> None:
    predicted = {}
    for target in (0.5, 5.0):
        job = conditional(client, targets={"mu": target}, num_steps=25)
        predicted[target] = [graph["graph"]["properties"]["mu"] for graph in job["graphs"] if graph["graph"]["valid"]]
        assert job["kind"] == "conditional"
        assert job["summary"]["valid"] >= 15
        assert job["summary"]["predicted_error"]["mu"] < 1

    assert max(sorted(predicted[0.5])[:-2]) < min(sorted(predicted[5.0])[2:])


def test_candidates_come_nearer_to_the_target_and_the_answer_says_how_many_were_drawn(client: httpx2.Client) -> None:
    wish = {"targets": {"mu": 4.0}, "num_graphs": 12, "num_steps": 20}
    one, four = (conditional(client, candidates=count, **wish)["summary"] for count in (1, 4))

    assert (one["candidates"], four["candidates"]) == (12, 48)
    assert four["predicted_error"]["mu"] < one["predicted_error"]["mu"]


def test_a_scale_of_zero_gives_the_unconditional_graphs(client: httpx2.Client, job: Any) -> None:
    guided = conditional(client, seed=REQUEST["seed"], guidance_scale=0)

    assert [(graph["nodes"], graph["edges"]) for graph in guided["graphs"]] == [
        (graph["nodes"], graph["edges"]) for graph in job["graphs"]
    ]
    assert guided["graphs"][0]["graph"]["properties"].keys() == {"mu", "homo", "lumo", "gap", "logp", "qed", "mw"}
    assert all(error > 0 for error in guided["graphs"][0]["graph"]["property_errors"].values())
