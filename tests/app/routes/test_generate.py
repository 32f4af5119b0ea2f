"""Requests for graphs, against a real Valkey; no worker runs, so jobs stay queued."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.jobs.keys import WORKERS_KEY, worker_key
from tests.app.conftest import PROBLEM, make_client
from tests.servers import valkey, wait_until

NO_FILTER: dict[str, Any] = {
    **dict.fromkeys(("valid", "unique", "connected", "stable"), False),
    "contains": [],
    "lacks": [],
    "properties": {},
    "similarity": None,
    "diverse": None,
}


def test_a_request_is_accepted_with_its_defaults_filled_in(client: TestClient) -> None:
    answer = client.post("/generate", json={"model": "tiny"})

    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{job['id']}" == job["links"]["self"]
    assert job["status"] == "queued"
    assert job["kind"] == "unconditional"
    assert job["graphs"] is job["error"] is job["summary"] is job["started_at"] is None
    seed = job["request"].pop("seed")
    assert 0 <= seed < 2**53
    assert job["request"] == {
        "model": "tiny",
        "num_graphs": 1,
        "num_nodes": None,
        "sampler": "ancestral",
        "num_steps": 10,
        "keep_frames": 0,
        "webhook": None,
        "given": None,
        "near": None,
        "filter": NO_FILTER,
        "descriptors": False,
        "priority": "normal",
    }
    assert job["progress"].pop("position") >= 0
    assert job["progress"] == {"fraction": 0, "graphs_done": 0, "num_graphs": 1, "eta_seconds": None}
    assert client.get(answer.headers["Location"]).json()["id"] == job["id"]


def test_graphs_that_no_worker_has_memory_for_are_refused(redis_url: str) -> None:
    with make_client(redis_url, max_nodes=40) as client, Redis.from_url(redis_url) as redis:

        def ask(path: str = "/generate", **fields: Any) -> Any:
            return client.post(path, json={"model": "tiny", **fields}).json()

        for worker, capacity in (("small", 300), ("larger", 32**2), ("silent", None)):
            redis.zadd(WORKERS_KEY, {worker: time.time()})
            if capacity:
                redis.set(worker_key(worker), f'{{"capacity": {{"tiny": {capacity}}}}}')
        try:
            refused = [ask(), ask(num_nodes=33), ask(num_nodes={"min": 20, "max": 33})]
            # Of the sizes up to 33 only 5 was seen in training.
            accepted = [ask(num_nodes=32), ask(num_nodes={"min": 2, "max": 33})]
            guided = ask("/generate/conditional", targets={"a": 1}, num_nodes=5)
        finally:
            redis.delete(WORKERS_KEY, worker_key("small"), worker_key("larger"))

    assert {problem["status"] for problem in refused} == {422}
    assert [problem["detail"] for problem in refused] == [
        f"num_nodes: graphs of {size} nodes do not fit into any worker's memory; ask for at most 32"
        for size in (40, 33, 33)
    ]
    assert [job["status"] for job in accepted] == ["queued", "queued"]
    # Every proposal is read too.
    assert guided["detail"] == (
        "num_nodes: graphs of 5 nodes steered by proposals do not fit into any worker's memory; nor do smaller ones"
    )


def test_a_fixed_seed_is_kept_and_two_unseeded_requests_differ(client: TestClient) -> None:
    seeds = [
        client.post("/generate", json={"model": "tiny", "seed": seed}).json()["request"]["seed"]
        for seed in (7, None, None)
    ]

    assert seeds[0] == 7
    assert seeds[1] != seeds[2]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "model", "required"),
        ({"model": "nope"}, "model", "available: tiny"),
        ({"model": 3}, "model", "valid string"),
        ({"model": "tiny", "num_graphs": 0}, "num_graphs", "greater than or equal to 1"),
        ({"model": "tiny", "num_graphs": 10_001}, "num_graphs", "less than or equal to 10000"),
        ({"model": "tiny", "num_graphs": "3"}, "num_graphs", 'valid integer, not "3"'),
        ({"model": "tiny", "num_graphs": 1.5}, "num_graphs", "valid integer"),
        ({"model": "tiny", "num_graphs": True}, "num_graphs", "valid integer, not true"),
        ({"model": "tiny", "num_nodes": 0}, "num_nodes", "greater than or equal to 1"),
        ({"model": "tiny", "num_nodes": 10}, "num_nodes", "5 to 9 nodes"),
        ({"model": "tiny", "num_nodes": 4}, "num_nodes", "5 to 9 nodes, so it cannot give 4"),
        (
            {"model": "tiny", "num_nodes": "many"},
            "num_nodes",
            'like 9, or a range, like {"min": 5, "max": 9}, not "many"',
        ),
        ({"model": "tiny", "num_nodes": {"min": 2, "max": 10}}, "num_nodes", "5 to 9 nodes"),
        ({"model": "tiny", "num_nodes": {"min": 5, "max": 2}}, "num_nodes", "min = 5 must not exceed max = 2"),
        ({"model": "tiny", "num_nodes": {"min": 5}}, "num_nodes.max", "required"),
        ({"model": "tiny", "num_nodes": {"min": "1", "max": 5}}, "num_nodes.min", "valid integer"),
        ({"model": "tiny", "seed": -1}, "seed", "greater than or equal to 0"),
        ({"model": "tiny", "seed": 2**53}, "seed", "less than or equal to"),
        ({"model": "tiny", "sampler": "magic"}, "sampler", "'renoise' or 'mixed', not \"magic\""),
        ({"model": "tiny", "num_steps": 0}, "num_steps", "greater than or equal to 1"),
        ({"model": "tiny", "num_steps": 51}, "num_steps", "50 timesteps"),
        ({"model": "tiny", "filter": {"valid": 1}}, "filter.valid", "valid boolean, not 1"),
        ({"model": "tiny", "filter": {"sound": True}}, "filter.sound", "no such field"),
        ({"model": "tiny", "filter": {"contains": ["C("]}}, "filter.contains", "SMARTS 'C('"),
        ({"model": "tiny", "filter": {"lacks": ["C"] * 17}}, "filter.lacks", "at most 16 items"),
        ({"model": "tiny", "filter": {"lacks": ["C" * 501]}}, "filter.lacks.0", "at most 500 characters"),
        ({"model": "tiny", "filter": {"contains": [""]}}, "filter.contains.0", "at least 1 character"),
        (
            {"model": "tiny", "filter": {"properties": {"logd": {"min": 1}}}},
            "filter.properties.logd",
            "should be 'mw', 'logp', 'qed', 'tpsa'",
        ),
        ({"model": "tiny", "filter": {"properties": {"logp": {}}}}, "filter.properties.logp", "give min, max or both"),
        (
            {"model": "tiny", "filter": {"properties": {"sa": {"min": 4, "max": 3}}}},
            "filter.properties.sa",
            "min = 4 must not exceed max = 3",
        ),
        ({"model": "tiny", "filter": {"properties": {"sa": 3}}}, "filter.properties.sa", "valid dictionary"),
        ({"model": "tiny", "filter": {"similarity": {"min": 0.5}}}, "filter.similarity.smiles", "required"),
        ({"model": "tiny", "filter": {"diverse": 0}}, "filter.diverse", "greater than 0"),
        ({"model": "tiny", "filter": {"stable": True}}, "filter.stable", "does not draw hydrogens"),
        ({"model": "tiny", "descriptors": "yes"}, "descriptors", "valid boolean"),
        ({"model": "tiny", "num_graph": 4}, "num_graph", "did you mean 'num_graphs'?"),
        ({"model": "tiny", "targets": {"a": 1}}, "targets", "/generate/conditional has it"),
    ],
)
def test_a_field_that_cannot_be_is_named_with_what_would_be_right(
    client: TestClient, body: Any, field: str, words: str
) -> None:
    answer = client.post("/generate", json=body)

    problem = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert problem["status"] == 422
    assert [error["field"] for error in problem["errors"]] == [field]
    assert words in problem["errors"][0]["detail"]
    assert problem["detail"].startswith(f"{field}: ")


def test_a_cards_own_limit_holds(redis_url: str) -> None:
    with make_client(redis_url, max_graphs=5) as client:
        answer = client.post("/generate", json={"model": "tiny", "num_graphs": 6})

    assert answer.status_code == 422
    assert "at most 5" in answer.json()["detail"]


def test_a_job_is_named_though_redis_goes_while_it_is_waited_for(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        with valkey(tmp_path) as url, Redis.from_url(url) as redis:
            client = stack.enter_context(make_client(url))
            asked = pool.submit(client.post, "/generate", json={"model": "tiny"}, headers={"Prefer": "wait=20"})
            wait_until(lambda: bool(redis.exists("rq:queue:digress")), seconds=10)
            (job_id,) = redis.lrange("rq:queue:digress", 0, -1)
        answer = asked.result()

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{job_id.decode()}"
    assert answer.json()["status"] == "queued"


def test_a_whole_number_may_be_written_as_any_number_of_json(client: TestClient) -> None:
    numbers = (
        '{"num_graphs": 2.0, "num_nodes": {"min": 5.0, "max": 9e0}, "seed": 7.0, "num_steps": 1e1, "keep_frames": 0.0}'
    )

    answer = client.post(
        "/generate",
        content=f'{{"model": "tiny", {numbers[1:]}',
        headers={"Content-Type": "application/json"},
    )

    asked = answer.json()["request"]
    assert answer.status_code == 202
    assert {name: asked[name] for name in json.loads(numbers)} == json.loads(numbers)
    assert client.post("/generate", json={"model": "tiny", "num_nodes": 9.0}).json()["request"]["num_nodes"] == 9


CONDITIONAL = {"model": "tiny", "targets": {"a": 1, "b": -0.5}, "seed": 7}


def test_a_conditional_request_is_accepted_with_its_defaults_filled_in(client: TestClient) -> None:
    answer = client.post("/generate/conditional", json=CONDITIONAL)

    job = answer.json()
    assert answer.status_code == 202
    assert job["kind"] == "conditional"
    assert job["request"] == {
        "model": "tiny",
        "num_graphs": 1,
        "num_nodes": None,
        "seed": 7,
        "sampler": "ancestral",
        "num_steps": 10,
        "keep_frames": 0,
        "webhook": None,
        "given": None,
        "near": None,
        "filter": NO_FILTER,
        "descriptors": False,
        "priority": "normal",
        "targets": {"a": 1.0, "b": -0.5},
        "guidance_scale": 20.0,
        "estimator": "proposals",
        "candidates": 1,
    }
    assert client.get(answer.headers["Location"]).json()["request"] == job["request"]


def test_each_estimator_has_a_scale_of_its_own(client: TestClient) -> None:
    answer = client.post("/generate/conditional", json={**CONDITIONAL, "estimator": "gradient"})

    assert answer.json()["request"]["guidance_scale"] == 10.0


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"targets": {"a": 3.5}}, "targets.a", "from -3 to 3"),
        ({"targets": {"mass": 1}}, "targets", "it has a, b"),
        ({"targets": {}}, "targets", "give at least one"),
        ({"targets": {"a": "1"}}, "targets.a", "valid number"),
        ({"targets": {"a": True}}, "targets.a", "valid number"),
        ({"guidance_scale": -1}, "guidance_scale", "greater than or equal to 0"),
        ({"guidance_scale": 1e9}, "guidance_scale", "at most 100"),
        ({"candidates": 0}, "candidates", "greater than or equal to 1"),
        ({"candidates": 65}, "candidates", "at most 64"),
        ({"candidates": 64, "num_graphs": 200}, "candidates", "200 times 64"),
        ({"estimator": "magic"}, "estimator", "'proposals' or 'gradient'"),
    ],
)
def test_a_conditional_request_that_cannot_be_met_names_the_field_and_what_would_be_right(
    client: TestClient, change: dict[str, Any], field: str, words: str
) -> None:
    answer = client.post("/generate/conditional", json=CONDITIONAL | change)

    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert problem["errors"][0]["field"] == field
    assert words in problem["detail"]


@pytest.mark.parametrize("value", ["NaN", "1e999", "-Infinity"])
def test_targets_that_are_no_number_are_refused(client: TestClient, value: str) -> None:
    answer = client.post(
        "/generate/conditional",
        content=f'{{"model": "tiny", "targets": {{"a": {value}}}}}',
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM


def test_a_model_without_regressors_cannot_be_steered_and_says_so(redis_url: str) -> None:
    with make_client(redis_url, steerable=False) as client:
        answer = client.post("/generate/conditional", json=CONDITIONAL)

    assert answer.status_code == 422
    assert "no regressor" in answer.json()["detail"]


def test_an_unconditional_request_takes_no_targets(client: TestClient) -> None:
    answer = client.post("/generate", json=CONDITIONAL)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "targets"
