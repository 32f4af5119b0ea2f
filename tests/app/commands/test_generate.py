"""`digress generate` as a user meets it: a server that wants keys, and a way to it that can be cut."""

import json
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx2
import pytest
from rdkit import Chem

from app.cli import main
from app.commands.client import connected
from app.commands.connection import RetryLimits
from app.commands.console import CommandError
from app.commands.remote_generation import wait_and_save
from app.commands.supervisor import free_port
from app.pictures.formats import Format
from tests import tcp_proxy
from tests.forked import forked, run
from tests.servers import DIGRESS, only, running, stack, wait_until

KEY = "for-these-tests-alone"
SMALL = ["qm9", "-n", "20", "--seed", "7", "--num-steps", "10"]
# A second or two of work, and more than any test has time for.
SHORT, LONG = ["qm9", "-n", "20", "--num-steps", "60"], ["qm9", "-n", "500", "--num-steps", "500"]
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    folder = tmp_path_factory.mktemp("generate")
    settings = only(folder, "qm9", "comm20") | {"DIGRESS_AUTH": "keys", "DIGRESS_ADMIN_KEY": KEY}
    settings |= {"DIGRESS_MAX_JOBS": "1", "DIGRESS_MAX_QUEUED_JOBS": "2"}
    with stack(folder, settings) as (client, _):
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


@pytest.fixture
def variables(client: httpx2.Client) -> dict[str, str]:
    return {"DIGRESS_SERVER": str(client.base_url), "DIGRESS_API_KEY": KEY}


@pytest.fixture
def generate(variables: dict[str, str], tmp_path: Path) -> Run:
    def generate(*arguments: str, **others: str) -> CompletedProcess[str]:
        return run([DIGRESS, "generate", *arguments], variables | others, cwd=tmp_path)

    return generate


@pytest.fixture
def canceled_after(client: httpx2.Client) -> Iterator[None]:
    """Leaves no job behind that the next test would have to wait for."""
    yield
    for job in client.get("/jobs").json()["jobs"]:
        client.delete(f"/jobs/{job['id']}")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `digress sample` draws, in two forms that tell all; in this process, since torch is here already."""
    folder = tmp_path_factory.mktemp("sampled")
    with pytest.MonkeyPatch.context() as patch:
        for ending in ("smi", "sdf"):
            patch.setattr("sys.argv", ["digress", "sample", *SMALL, "--out", str(folder / f"graphs.{ending}")])
            with pytest.raises(SystemExit) as end:
                main()
            assert end.value.code == 0
    return folder


def newest(client: httpx2.Client) -> Any:
    return client.get("/jobs", params={"limit": 1}).json()["jobs"][0]


def test_graphs_are_those_of_sample_in_the_form_of_the_ending(generate: Run, sampled: Path, tmp_path: Path) -> None:
    done = [generate(*SMALL, "--out", f"graphs.{ending}") for ending in ("jsonl", "smi", "sdf")]

    assert [(run.returncode, run.stdout) for run in done] == [(0, "")] * 3, done
    for ending in ("smi", "sdf"):
        assert (tmp_path / f"graphs.{ending}").read_text() == (sampled / f"graphs.{ending}").read_text()
    assert len(list(tmp_path.iterdir())) == 3
    graphs = [json.loads(line) for line in (tmp_path / "graphs.jsonl").read_text().splitlines()]
    smiles = [graph["graph"]["smiles"] for graph in graphs if graph["graph"]["valid"]]
    assert 0 < len(smiles) < len(graphs) == 20
    assert (tmp_path / "graphs.smi").read_text().splitlines() == smiles
    assert all(Chem.MolFromSmiles(text) for text in smiles)
    assert f"{20 - len(smiles)} of the graphs left out" in done[1].stderr
    records = Chem.SDMolSupplier(str(tmp_path / "graphs.sdf"), sanitize=False)
    assert [record.GetNumAtoms() for record in records] == [len(graph["nodes"]) for graph in graphs]


def test_graphs_near_a_target_go_to_standard_output(generate: Run) -> None:
    done = generate("qm9", "-n", "2", "--num-steps", "5", "--target", "mu=2.5", "--candidates", "2")

    graphs = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert ["mu" in graph["graph"]["properties"] for graph in graphs] == [True, True]


def test_a_job_that_was_not_waited_for_is_picked_up(generate: Run, client: httpx2.Client) -> None:
    asked = generate("qm9", "-n", "3", "--num-steps", "5", "--priority", "low", "--no-watch")
    job_id = asked.stdout.strip()

    done = generate("--job", job_id)

    assert (asked.returncode, asked.stderr, done.returncode) == (0, "", 0)
    assert len(done.stdout.splitlines()) == 3
    assert newest(client)["id"] == job_id
    assert newest(client)["request"]["priority"] == "low"


def test_a_job_that_was_canceled_ends_with_status_3(
    generate: Run, client: httpx2.Client, variables: dict[str, str], tmp_path: Path
) -> None:
    job_id = generate(*LONG, "--no-watch").stdout.strip()
    with forked([DIGRESS, "generate", "--job", job_id], variables, tmp_path / "said") as waiting:
        wait_until(lambda: "job" in (tmp_path / "said").read_text(), seconds=20)
        client.delete(f"/jobs/{job_id}")
        status = waiting.wait(20)

    assert status == 3
    assert "digress: the job was canceled" in (tmp_path / "said").read_text()


def test_fewer_graphs_than_asked_for_end_with_status_4(generate: Run, tmp_path: Path) -> None:
    wishes = ["--filter", "valid", "--filter", "unique"]

    done = generate("qm9", "-n", "10", "--num-nodes", "1", "--num-steps", "5", *wishes, "--out", "few.smi")

    found = (tmp_path / "few.smi").read_text().splitlines()
    assert done.returncode == 4
    assert f"{10 - len(found)} graphs short" in done.stderr
    assert 0 < len(found) == len(set(found))


def test_an_interrupted_command_says_how_to_pick_up_its_job(
    client: httpx2.Client, variables: dict[str, str], tmp_path: Path, canceled_after: None
) -> None:
    out, said = tmp_path / "graphs.smi", tmp_path / "said"
    with forked([DIGRESS, "generate", *LONG, "--out", str(out)], variables, said) as waiting:
        wait_until(lambda: "job" in said.read_text(), seconds=20)
        waiting.send_signal(signal.SIGINT)
        status = waiting.wait(20)

    assert status == 130
    assert f"digress generate --job {newest(client)['id']} --server {client.base_url}" in said.read_text()
    assert newest(client)["status"] in {"queued", "running"}
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["qm8"], 1, "there is no model 'qm8'; did you mean 'qm9'? available: comm20, qm9"),
        (["qm9", "--num-nodes", "12"], 1, "num_nodes: qm9 was trained on graphs of 1 to 9 nodes"),
        (["qm9", "--guidance-scale", "2"], 1, "--guidance-scale steers to a --target, and there is none"),
        (["qm9", "--target", "mu=nan"], 1, "targets.mu: Input should be a finite number"),
        (["qm9", "--out", "graphs.xyz"], 1, "--out ends in .jsonl, .ndjson, .json, .smi, .csv, .sdf, not 'graphs.xyz'"),
        (["qm9", "--out", "nowhere/graphs.smi"], 1, "nowhere/graphs.smi: No such file"),
        (["comm20", "--out", "graphs.smi"], 1, "graphs of comm20 are not molecules"),
        (["--job", "0123"], 1, "there is no job '0123'"),
        (["qm9", "--server", "localhost"], 1, "--server takes an address like http://127.0.0.1:8000, not 'localhost'"),
        (["qm9", "--server", "http://127.0.0.1:1"], 1, "no server answers at http://127.0.0.1:1 ("),
        (["qm9", "--api-key", "guessed"], 1, "this key is not known, or has been revoked; give one with --api-key"),
        ([], 2, "give a MODEL, or a job by --job"),
        (["qm9", "--job", "0123"], 2, "give a MODEL, or a job by --job"),
        (["--job", "0123", "--seed", "1"], 2, "--job follows an earlier job"),
        (["qm9", "--no-watch", "--out", "graphs.smi"], 2, "--no-watch does not wait for the graphs"),
    ],
)
def test_a_mistake_is_said_with_what_would_be_right_and_asks_for_nothing(
    arguments: list[str],
    status: int,
    words: str,
    variables: dict[str, str],
    client: httpx2.Client,
    error_output: Callable[..., str],
) -> None:
    before = newest(client)["id"]

    said = error_output("generate", *arguments, status=status, **variables)

    assert words in said
    assert KEY not in said
    assert newest(client)["id"] == before


def test_a_key_is_asked_for_where_one_is_needed(generate: Run) -> None:
    done = generate("qm9", DIGRESS_API_KEY="")

    assert done.returncode == 1
    assert "needs an API key; give one with --api-key or DIGRESS_API_KEY" in done.stderr


def test_a_server_of_another_kind_is_told_from_a_digress(generate: Run, tmp_path: Path) -> None:
    port = free_port()
    with running([sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(port)], {}, tmp_path / "other.log"):
        wait_until(lambda: connects(port), seconds=10)

        done = generate("qm9", "--server", f"http://127.0.0.1:{port}")

    assert done.returncode == 1
    assert "answers 501 " in done.stderr
    assert "unlike digress-serve" in done.stderr


def test_a_lost_connection_is_made_again_and_the_job_is_followed_to_its_end(
    client: httpx2.Client, variables: dict[str, str], tmp_path: Path
) -> None:
    port, said, out = free_port(), tmp_path / "said", tmp_path / "graphs.jsonl"
    command = [DIGRESS, "generate", *SHORT, "--server", f"http://127.0.0.1:{port}", "--out", str(out)]
    with ExitStack() as processes:
        with way_to(client, port, tmp_path):
            process = processes.enter_context(forked(command, variables, said))
            wait_until(lambda: "job" in said.read_text(), seconds=20)
        wait_until(lambda: "is unreachable" in said.read_text(), seconds=20)
        processes.enter_context(way_to(client, port, tmp_path))
        status = process.wait(60)

    assert status == 0, said.read_text()
    assert "trying again in 1 s" in said.read_text()
    assert len(out.read_text().splitlines()) == 20


def test_a_request_whose_answer_is_lost_is_sent_again_and_gives_one_job(
    client: httpx2.Client, variables: dict[str, str], tmp_path: Path
) -> None:
    before, said = len(client.get("/jobs").json()["jobs"]), tmp_path / "said"
    with ExitStack() as processes:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            command = [DIGRESS, "generate", "qm9", "--num-steps", "5", "--server", f"http://127.0.0.1:{port}"]
            process = processes.enter_context(forked(command, variables, said))
            lose_an_answer(listener, client)
        processes.enter_context(way_to(client, port, tmp_path))
        status = process.wait(60)

    assert status == 0, said.read_text()
    assert "is unreachable (" in said.read_text()
    assert len(client.get("/jobs").json()["jobs"]) == before + 1


@pytest.fixture
def full(client: httpx2.Client, canceled_after: None) -> str:
    """The address of the server; one job is computed there, and two wait, so that its queue is full."""
    client.post("/generate", json={"model": "qm9", "num_graphs": 10, "num_steps": 50}).raise_for_status()
    wait_until(lambda: newest(client)["status"] == "running", seconds=20)
    for _ in range(2):
        client.post("/generate", json={"model": "qm9", "num_steps": 5}).raise_for_status()
    return str(client.base_url)


def test_a_server_that_has_no_room_is_asked_again_when_it_says(full: str, capsys: pytest.CaptureFixture[str]) -> None:
    with connected(full, KEY) as there:
        job = there.follow(there.submit({"model": "qm9", "num_steps": 5}), lambda _: None)

    assert job.status == "succeeded"
    assert re.search("the queue is full: 2 jobs are waiting; trying again in [0-9]+ s", capsys.readouterr().err)


def test_a_server_that_has_no_room_for_long_is_not_waited_for(full: str) -> None:
    with (
        connected(full, KEY, RetryLimits(busy=0.5)) as there,
        pytest.raises(CommandError, match=r"try again in [0-9]+ s"),
    ):
        there.submit({"model": "qm9"})


def test_a_server_that_stays_away_is_given_up_with_the_way_to_go_on(
    client: httpx2.Client, tmp_path: Path, canceled_after: None
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with connected(address, KEY, RetryLimits(unreachable=0.5)) as there:
        with way_to(client, port, tmp_path):
            job = there.submit({"model": "qm9", "num_graphs": 500, "num_steps": 500})

        with pytest.raises(CommandError) as failure:
            wait_and_save(there, job, Format.NDJSON, Path("graphs.jsonl"))

    assert f"{address} is unreachable" in str(failure.value)
    assert f"digress generate --job {job.id} --server {address} --out graphs.jsonl" in str(failure.value)


@contextmanager
def way_to(client: httpx2.Client, port: int, folder: Path) -> Iterator[None]:
    """The server, as it can be reached at another port for a while."""
    command = [sys.executable, tcp_proxy.__file__, str(port), str(client.base_url.port)]
    with running(command, {}, folder / "proxy.log"):
        wait_until(lambda: connects(port), seconds=10)
        yield


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def lose_an_answer(listener: socket.socket, client: httpx2.Client) -> None:
    """Bring one request to the server, and nothing back."""
    here, _ = listener.accept()
    with here, socket.create_connection((client.base_url.host, client.base_url.port or 80)) as there:
        request = b""
        while not request.endswith(b"}"):  # of the body
            request += here.recv(65_536)
        there.sendall(request)
        there.recv(65_536)
