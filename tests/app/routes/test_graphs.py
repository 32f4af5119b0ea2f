"""Results over HTTP: written by the worker's own record, read in every form."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx2
import networkx as nx
import pytest
from fastapi.testclient import TestClient
from rdkit import Chem
from redis import Redis

from app.commands.supervisor import free_port
from app.jobs.keys import graphs_key
from app.pictures.scene import Theme
from app.schemas import Frame, Graph, JobSummary, Problem, Trajectory
from models.checkpoint import save_checkpoint
from models.generation import Progress
from tests.app.conftest import PROBLEM
from tests.conftest import make_card, make_denoiser
from tests.servers import DIGRESS, running, wait_until
from worker.records import JobRecord

ETHANOL = {"smiles": "CCO", "valid": True, "properties": {"mu": 1.5}}


def molecule(seed: int, types: str = "CCO", order: str = "single", **about: Any) -> Graph:
    nodes = [{"id": i, "type": label, "element": label, "charge": 0} for i, label in enumerate(types)]
    edges = [{"source": i, "target": i + 1, "type": order} for i in range(len(types) - 1)]
    return Graph(graph={"model": "tiny", "seed": seed, **(about or ETHANOL)}, nodes=nodes, edges=edges)


INVALID = molecule(1, "CFC", "triple", smiles=None, valid=False)


@pytest.fixture
def ended(client: TestClient, redis: Redis) -> Any:
    """Submits a job and ends it with these graphs; its address."""

    def end(*graphs: Graph) -> str:
        job = client.post("/generate", json={"model": "tiny", "num_graphs": max(len(graphs), 1)}).json()
        record = JobRecord(redis, job["id"], ttl_seconds=60)
        record.start()
        record.succeed(graphs, JobSummary(num_graphs=len(graphs), seconds=1))
        return f"/jobs/{job['id']}"

    return end


def test_pages_hold_all_graphs_in_their_order(client: TestClient, ended: Any) -> None:
    here = f"{ended(*map(molecule, range(600)))}/graphs?limit=250"

    pages = []
    while here:
        pages.append(client.get(here).json())
        here = pages[-1]["next"]

    assert [len(page["graphs"]) for page in pages] == [250, 250, 100]
    assert [graph["graph"]["seed"] for page in pages for graph in page["graphs"]] == list(range(600))


def test_a_result_over_eight_megabytes_comes_in_pages_and_as_lines_only(client: TestClient, ended: Any) -> None:
    large = [molecule(seed, "C" * 20_000) for seed in range(5)]  # 2 MB each
    job = ended(*large)

    whole, page = client.get(job).json(), client.get(f"{job}/graphs").json()
    lines = client.get(f"{job}/graphs", params={"format": "ndjson"})

    assert whole["status"] == "succeeded"
    assert whole["graphs"] is None
    assert whole["links"]["graphs"] == f"{job}/graphs"
    assert len(page["graphs"]) == 4
    assert page["next"] == f"{job}/graphs?cursor=4&limit=100"
    assert lines.headers["Content-Type"].startswith("application/x-ndjson")
    assert [json.loads(line)["graph"]["seed"] for line in lines.text.splitlines()] == [0, 1, 2, 3, 4]


def test_a_large_job_is_sent_in_parts_and_is_the_same(client: TestClient, ended: Any) -> None:
    graphs = [molecule(seed, "C" * 4_000) for seed in range(5)]  # 0.4 MB each
    job = ended(*graphs)

    with client.stream("GET", job) as answer:
        num_parts, text = 0, b""
        for part in answer.iter_raw():
            num_parts += 1
            text += part

    whole = json.loads(text)
    assert num_parts > len(graphs)
    assert whole.pop("graphs") == [graph.model_dump(mode="json") for graph in graphs]
    assert whole == {
        name: value for name, value in client.get(f"{job}?graphs=false").json().items() if name != "graphs"
    }
    assert client.delete(job).json()["graphs"] == [graph.model_dump(mode="json") for graph in graphs]


def test_a_job_that_failed_with_nothing_has_an_empty_page(client: TestClient, redis: Redis) -> None:
    job_id = client.post("/generate", json={"model": "tiny", "num_graphs": 5}).json()["id"]
    record = JobRecord(redis, job_id, ttl_seconds=60)
    record.start()
    record.progress(Progress(0.5, 3))
    record.fail(Problem(title="Gone", status=500, detail="it broke"))

    assert client.get(f"/jobs/{job_id}/graphs").json() == {"graphs": [], "next": None}


def test_a_graph_is_given_in_every_form_and_is_the_same_in_each(client: TestClient, ended: Any) -> None:
    here = f"{ended(molecule(7))}/graphs/0"

    def get(form: str) -> str:
        return client.get(here, params={"format": form}).text

    as_json, as_graphml = json.loads(get("json")), nx.parse_graphml(get("graphml"), node_type=int)
    block, _, data = get("sdf").partition("M  END\n")
    assert Graph.model_validate(as_json) == molecule(7)
    assert as_graphml.nodes[2] == {"type": "O", "element": "O", "charge": 0}
    assert set(as_graphml.edges) == {(0, 1), (1, 2)}
    assert as_graphml.graph["properties.mu"] == 1.5
    assert get("smiles") == "CCO\n"
    read = Chem.MolFromMolBlock(block + "M  END\n")
    assert Chem.MolToSmiles(read) == "CCO"
    assert len({tuple(place) for place in read.GetConformer().GetPositions()}) == 3
    assert ">  <properties.mu>\n1.5\n" in data
    assert data.endswith("$$$$\n")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("chemical/*", "chemical/x-daylight-smiles"),
        ("application/json;q=0.2, chemical/x-mdl-sdfile", "chemical/x-mdl-sdfile"),
        ("application/graphml+xml, */*;q=0.1", "application/graphml+xml"),
        ("application/json;q=0, */*", "application/graphml+xml"),
    ],
)
def test_the_header_accept_chooses_the_form(client: TestClient, ended: Any, accept: str, media_type: str) -> None:
    answer = client.get(f"{ended(molecule(1))}/graphs/0", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] == media_type


def test_a_whole_job_is_one_file_of_smiles_or_of_records(client: TestClient, ended: Any) -> None:
    job = ended(molecule(0), INVALID, molecule(2))

    smiles, records = (client.get(f"{job}/graphs", params={"format": form}).text for form in ("smiles", "sdf"))

    assert smiles == "CCO\nCCO\n"
    assert records.count("$$$$\n") == 3


def test_what_has_no_such_form_is_said(client: TestClient, ended: Any) -> None:
    job = ended(molecule(0), INVALID)
    plain = Graph(graph={"model": "tiny", "seed": 1}, nodes=[{"id": 0, "type": "node"}], edges=[])
    other = ended(plain)

    refused = [
        client.get(f"{job}/graphs/1", params={"format": "smiles"}),
        client.get(f"{job}/graphs/0", params={"format": "ndjson"}),
        client.get(f"{job}/graphs/0", headers={"Accept": "image/gif"}),
        client.get(f"{job}/graphs", params={"format": "svg"}),
        client.get(f"{other}/graphs/0", params={"format": "sdf"}),
        client.get(f"{other}/graphs", params={"format": "sdf"}),
        client.get(f"{other}/graphs", params={"format": "smiles"}),
    ]

    assert {answer.status_code for answer in refused} == {406}
    assert {answer.headers["Content-Type"] for answer in refused} == {PROBLEM}
    details = [answer.json()["detail"] for answer in refused]
    assert details[0] == "this graph is not a valid molecule, so it has no SMILES; ask for json, graphml or sdf"
    assert "available: json (application/json), graphml" in details[1]
    assert details[2].startswith("Accept: image/gif names nothing")
    assert details[4] == details[5] == "graphs of tiny are not molecules, so they have no SD file"


def test_a_graph_that_there_is_not_and_a_job_that_is_not_done_are_told_apart(client: TestClient, ended: Any) -> None:
    queued = client.post("/generate", json={"model": "tiny"}).headers["Location"]

    answers = [client.get(f"{where}/graphs{which}") for where in (queued, ended(molecule(1))) for which in ("", "/1")]
    missing = client.get("/jobs/none/graphs")

    assert [answer.status_code for answer in answers] == [409, 409, 200, 404]
    assert answers[0].json()["detail"] == "the job is queued; its graphs are available once it has ended"
    assert answers[3].json()["detail"] == "the job has no graph 1; graphs are numbered from 0"
    assert missing.status_code == 404


def test_a_trajectory_is_given_where_frames_were_kept(client: TestClient, redis: Redis, ended: Any) -> None:
    job = client.post("/generate", json={"model": "tiny", "keep_frames": 2}).json()
    frames = [Frame(step=step, t=50 - step, nodes=[{"id": 0, "type": "C"}], edges=[]) for step in (0, 50)]
    record = JobRecord(redis, job["id"], ttl_seconds=60)
    record.succeed([molecule(1)], JobSummary(num_graphs=1, seconds=1), [Trajectory(frames=frames)])

    found = client.get(f"/jobs/{job['id']}/graphs/0/trajectory")
    missing = client.get(f"{ended(molecule(1))}/graphs/0/trajectory")

    assert found.json() == Trajectory(frames=frames).model_dump()
    assert missing.status_code == 404
    assert "keep_frames" in missing.json()["detail"]


def test_more_frames_than_a_job_may_keep_are_refused(client: TestClient) -> None:
    answer = client.post("/generate", json={"model": "tiny", "num_graphs": 11, "keep_frames": 100})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "keep_frames: a job keeps at most 1000 frames, not 11 times 100"


@pytest.mark.parametrize("graph", [molecule(7), INVALID])
@pytest.mark.parametrize("theme", Theme)
def test_a_graph_is_a_picture_of_any_size_and_always_the_same(
    client: TestClient, ended: Any, graph: Graph, theme: Theme
) -> None:
    here = f"{ended(graph)}/graphs/0"

    svg, again, png, large = (
        client.get(here, params={"format": form, "size": size, "theme": theme})
        for form, size in (("svg", 300), ("svg", 300), ("png", 300), ("png", 700))
    )

    assert svg.headers["Content-Type"] == "image/svg+xml"
    assert "style-src 'unsafe-inline'" in svg.headers["Content-Security-Policy"]
    assert svg.content == again.content
    root = ElementTree.fromstring(svg.content)
    assert root.get("viewBox") == "0 0 300 300"
    assert theme.background.lower() in svg.text.lower()
    assert ("not a valid molecule" in svg.text) == (graph is INVALID)
    assert [png_size(answer.content) for answer in (png, large)] == [(300, 300), (700, 700)]
    assert png.headers["Content-Type"] == "image/png"


def png_size(picture: bytes) -> tuple[int, int]:
    """Width and height (PNG specification, 11.2.1)."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")


@pytest.mark.parametrize(("name", "value"), [("size", "10000"), ("theme", "pink"), ("format", "gif")])
def test_a_picture_that_cannot_be_made_is_said(client: TestClient, ended: Any, name: str, value: str) -> None:
    answer = client.get(f"{ended(molecule(1))}/graphs/0", params={"format": "png", name: value})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == name


def test_a_trajectory_is_a_film_too(client: TestClient, redis: Redis) -> None:
    job = client.post("/generate", json={"model": "tiny", "keep_frames": 2}).json()
    graph = molecule(1)
    frames = [Frame(step=step, t=50 - step, nodes=graph.nodes, edges=graph.edges[: step // 25]) for step in (0, 25, 50)]
    JobRecord(redis, job["id"], ttl_seconds=60).succeed(
        [graph], JobSummary(num_graphs=1, seconds=1), [Trajectory(frames=frames)]
    )

    answer = client.get(f"/jobs/{job['id']}/graphs/0/trajectory", headers={"Accept": "image/svg+xml"})

    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.text.count('class="frame"') == 3
    assert [answer.text.count(f'data-t="{t}"') for t in (50, 25, 0)] == [1, 1, 1]


def test_a_job_that_fails_keeps_what_was_finished(client: TestClient, redis: Redis) -> None:
    job = client.post("/generate", json={"model": "tiny", "num_graphs": 2}).json()
    problem = Problem(title="Gateway Timeout", status=504, detail="too long")

    JobRecord(redis, job["id"], ttl_seconds=60).fail(problem, [molecule(1)], JobSummary(num_graphs=1, seconds=1))

    found = client.get(f"/jobs/{job['id']}").json()
    assert found["status"] == "failed"
    assert found["error"]["detail"] == "too long"
    assert [graph["graph"]["seed"] for graph in found["graphs"]] == [1]
    assert client.get(f"/jobs/{job['id']}/graphs/0").json() == found["graphs"][0]
    assert not redis.keys(f"digress:job:{job['id']}:graphs:*")


@pytest.mark.parametrize("form", ["ndjson", "smiles"])
def test_a_file_that_cannot_be_sent_to_its_end_is_cut_off_and_does_not_look_whole(
    redis_url: str, redis: Redis, tmp_path: Path, form: str
) -> None:
    port = free_port()
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "tiny")
    environment = {"DIGRESS_REDIS_URL": redis_url, "DIGRESS_PORT": str(port), "DIGRESS_CHECKPOINTS": str(tmp_path)}
    with (
        running([DIGRESS, "api"], environment, tmp_path / "api.log"),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        wait_until(lambda: is_there(client), seconds=20)
        job = client.post("/generate", json={"model": "tiny", "num_graphs": 600}).json()
        graphs = [molecule(seed, "C" * 2_000, smiles="C" * 20_000, valid=True) for seed in range(600)]
        JobRecord(redis, job["id"], ttl_seconds=60).succeed(graphs, JobSummary(num_graphs=600, seconds=1))

        with client.stream("GET", f"{job['links']['graphs']}?format={form}") as answer:
            parts = answer.iter_bytes()
            next(parts)
            redis.delete(graphs_key(job["id"]))
            with pytest.raises(httpx2.RemoteProtocolError):
                list(parts)

        wait_until(lambda: "response aborted" in (tmp_path / "api.log").read_text(), seconds=5)
        assert 'route="/jobs/{job_id}/graphs",status="500"' not in client.get("/metrics").text
    assert "the job has expired" in (tmp_path / "api.log").read_text()
    assert "Traceback" not in (tmp_path / "api.log").read_text()


def is_there(client: httpx2.Client) -> bool:
    try:
        return client.get("/health/live").is_success
    except httpx2.TransportError:
        return False


def test_a_table_has_its_head_before_the_first_valid_molecule_wherever_that_is(client: TestClient, ended: Any) -> None:
    broken = molecule(0).model_copy(update={"graph": molecule(0).graph | {"smiles": None, "valid": False}})
    job = ended(*[broken] * 300, molecule(1), *[broken] * 300, molecule(2))

    table = client.get(f"{job}/graphs", params={"format": "csv"})

    assert table.headers["Content-Type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(table.text))
    assert head[:1] == ["smiles"]
    assert [dict(zip(head, row, strict=True))["seed"] for row in rows] == ["1", "2"]
