"""Results over HTTP: written by the worker's own record, read in every form."""

import json
from typing import Any

import networkx as nx
import pytest
from fastapi.testclient import TestClient
from rdkit import Chem
from redis import Redis

from app.schemas import Frame, Graph, JobSummary, Problem, Trajectory
from tests.app.conftest import PROBLEM
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
    assert details[3] == details[4] == "graphs of tiny are no molecules, so there is no SD file of them"


def test_a_graph_that_there_is_not_and_a_job_that_is_not_done_are_told_apart(client: TestClient, ended: Any) -> None:
    queued = client.post("/generate", json={"model": "tiny"}).headers["Location"]

    answers = [client.get(f"{where}/graphs{which}") for where in (queued, ended(molecule(1))) for which in ("", "/1")]
    missing = client.get("/jobs/none/graphs")

    assert [answer.status_code for answer in answers] == [409, 409, 200, 404]
    assert answers[0].json()["detail"] == "the job is queued; its graphs are here once it has ended"
    assert answers[3].json()["detail"] == "the job has no graph 1; they are counted from 0"
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
