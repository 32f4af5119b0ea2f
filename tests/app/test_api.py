"""The HTTP contract, against a real Valkey; no worker runs, so jobs stay queued."""

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.catalogue.served_models import ServedModels
from app.catalogue.validation import complete
from app.commands.supervisor import free_port
from app.http.errors import InvalidRequest
from app.jobs.keys import WORKERS_KEY, worker_key
from app.jobs.queue import JobQueue, Submission
from app.main import build, create_app
from app.schemas import CompletedRequest, ConditionalRequest
from app.settings import Settings
from models.card.folder import read_card
from tests.app.conftest import PROBLEM, make_client
from tests.conftest import make_card
from tests.servers import valkey, wait_until


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
        "filter": {"valid": False, "unique": False, "connected": False},
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


def test_a_queued_job_is_canceled_at_once_and_stays_so(client: TestClient) -> None:
    location = client.post("/generate", json={"model": "tiny"}).headers["Location"]

    answers = [client.delete(location), client.delete(location)]

    for answer in answers:
        job = answer.json()
        assert answer.status_code == 200
        assert job["status"] == "canceled"
        assert job["started_at"] is job["graphs"] is None
        assert job["finished_at"] < job["expires_at"]


def test_a_job_that_is_not_there_cannot_be_canceled(client: TestClient) -> None:
    answer = client.delete("/jobs/nonesuch")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == PROBLEM


def test_waiting_in_vain_is_answered_in_time_with_202(client: TestClient) -> None:
    started = time.monotonic()

    answer = client.post("/generate", json={"model": "tiny"}, headers={"Prefer": "respond-async, wait=1"})

    assert 0.9 < time.monotonic() - started < 5
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


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


@pytest.mark.parametrize(
    ("content", "media_type", "status", "words"),
    [
        ("{", "application/json", 400, "not JSON"),
        ("", "application/json", 422, "required"),
        ("[1]", "application/json", 422, "body"),
        ("null", "application/json", 422, "body"),
        ("model=tiny", "application/x-www-form-urlencoded", 415, "content-type: application/json"),
        ('{"model": "tiny", "x": "' + 70_000 * "x" + '"}', "application/json", 413, "65536 bytes"),
    ],
    ids=["syntax", "empty", "array", "null", "form", "large"],
)
def test_a_body_that_is_no_request_gets_a_problem(
    client: TestClient, content: str, media_type: str, status: int, words: str
) -> None:
    answer = client.post("/generate", content=content, headers={"Content-Type": media_type})

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert words in answer.json()["detail"]


def test_a_large_body_of_undeclared_length_is_refused_too(client: TestClient) -> None:
    answer = client.post(
        "/generate", content=(b"x" * 10_000 for _ in range(20)), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (413, PROBLEM)


@pytest.mark.parametrize("prefer", [["respond-async", "wait=1"], ["Wait = 1; x=y"], ['wait="1"']])
def test_a_wait_is_found_wherever_it_stands(client: TestClient, prefer: list[str]) -> None:
    started = time.monotonic()
    client.post("/generate", json={"model": "tiny"}, headers=[("Prefer", line) for line in prefer])

    assert time.monotonic() - started > 0.9


@pytest.mark.parametrize("prefer", ["foo-wait=99", 'handling="wait=99"', "waiting=99", ""])
def test_other_preferences_are_passed_over(client: TestClient, prefer: str) -> None:
    assert client.post("/generate", json={"model": "tiny"}, headers={"Prefer": prefer}).status_code == 202


@pytest.mark.parametrize("wait", ["0", "61", "soon", "1.5", "-1", ""])
def test_a_wait_that_cannot_be_is_refused(client: TestClient, wait: str) -> None:
    answer = client.post("/generate", json={"model": "tiny"}, headers={"Prefer": f"wait={wait}"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert "1 to 60" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/jobs/0123456789abcdef", 404),
        ("GET", "/jobs/..%2F..%2Fetc", 404),
        ("GET", "/jobs/UPPER", 404),
        ("GET", "/models/nope", 404),
        ("GET", "/models/..%2f..%2fetc%2fpasswd", 404),
        ("DELETE", "/generate", 405),
        ("POST", "/models", 405),
    ],
)
def test_whatever_is_not_there_is_a_problem(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert answer.json()["status"] == status


def test_what_a_path_does_not_take_is_answered_with_all_that_it_takes(client: TestClient) -> None:
    allowed = [client.patch(path).headers["Allow"] for path in ("/jobs/x", "/jobs", "/generate", "/models/tiny/load")]

    assert allowed == ["DELETE, GET", "GET", "POST", "POST"]
    assert client.patch("/docs").status_code == 405


def test_models_are_listed_by_their_cards(client: TestClient) -> None:
    listed, single = client.get("/models"), client.get("/models/tiny")

    assert listed.json() == [single.json()]
    assert single.json()["node_types"] == make_card().node_types


def test_the_service_lives_but_is_not_ready_without_a_worker(client: TestClient) -> None:
    live, ready = client.get("/health/live"), client.get("/health/ready")

    assert (live.status_code, live.json()["status"]) == (200, "ok")
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable", "redis": True, "workers": 0})


def test_without_redis_the_service_says_so() -> None:
    with make_client(f"redis://127.0.0.1:{free_port()}") as client:
        posted, asked, ready = (
            client.post("/generate", json={"model": "tiny"}),
            client.get("/jobs/" + "0" * 32),
            client.get("/health/ready"),
        )

    for answer in (posted, asked):
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, PROBLEM)
        assert answer.headers["Retry-After"] == "2"
    assert (ready.status_code, ready.json()["redis"]) == (503, False)


def test_an_unforeseen_fault_is_a_problem_that_tells_nothing(redis_url: str) -> None:
    client = make_client(redis_url)
    client.app.state.served_models = None  # type: ignore[attr-defined]  # what no request can do

    answer = client.get("/models")

    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert "NoneType" not in answer.text


def test_without_prefer_a_job_is_accepted_even_if_it_has_ended_already(redis_url: str) -> None:
    class InstantQueue(JobQueue):
        def submit(self, *arguments: Any, **options: Any) -> Submission:
            submission = super().submit(*arguments, **options)
            with Redis.from_url(redis_url) as redis:
                redis.hset(f"digress:job:{submission.job_id}", "status", "failed")
            return submission

    async_redis = AsyncRedis.from_url(redis_url)
    queue = InstantQueue(Redis.from_url(redis_url), async_redis, job_timeout_seconds=60, job_ttl_seconds=600)
    with TestClient(
        create_app(queue, ServedModels({"tiny": make_card()}, Path("none"), async_redis), Settings())
    ) as client:
        answer = client.post("/generate", json={"model": "tiny"})

    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    assert answer.json()["status"] == "failed"


def test_a_job_is_named_though_redis_goes_while_it_is_waited_for(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with valkey(tmp_path) as url, Redis.from_url(url) as redis:
            headers = {"Prefer": "wait=20"}
            asked = pool.submit(make_client(url).post, "/generate", json={"model": "tiny"}, headers=headers)
            wait_until(lambda: bool(redis.exists("rq:queue:digress")), seconds=10)
            (job_id,) = redis.lrange("rq:queue:digress", 0, -1)
        answer = asked.result()

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/jobs/{job_id.decode()}"
    assert answer.json()["status"] == "queued"


def test_an_address_with_a_slash_too_many_is_a_problem(client: TestClient) -> None:
    answer = client.get("/models/", follow_redirects=False)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)


def test_hundreds_of_waiting_clients_hold_up_nobody(redis_url: str) -> None:
    queue: JobQueue = build(Settings.model_validate({"redis_url": redis_url})).state.queue
    request = CompletedRequest(model="tiny", num_graphs=1, seed=1, sampler="ancestral", num_steps=1)
    job_id = queue.submit(request).job_id

    async def never() -> bool:
        return False

    async def crowd() -> tuple[int, int, float]:
        started, num_threads = time.monotonic(), threading.active_count()
        waiting = [asyncio.create_task(queue.wait(job_id, 3, should_stop=never)) for _ in range(300)]
        await asyncio.sleep(1)
        num_workers, more = await queue.num_workers(), threading.active_count() - num_threads
        await asyncio.gather(*waiting)
        await queue.close()
        return num_workers, more, time.monotonic() - started

    num_workers, more_threads, seconds = asyncio.run(crowd())

    assert (num_workers, more_threads) == (0, 0)
    assert seconds < 10  # one after another they would take a quarter of an hour


def test_waiting_ends_when_it_is_pointless(redis_url: str) -> None:
    queue: JobQueue = build(Settings.model_validate({"redis_url": redis_url})).state.queue
    request = CompletedRequest(model="tiny", num_graphs=1, seed=1, sampler="ancestral", num_steps=1)
    job_id, started = queue.submit(request).job_id, time.monotonic()

    async def should_stop() -> bool:
        return time.monotonic() > started + 1

    async def wait() -> None:
        await queue.wait(job_id, 60, should_stop=should_stop)
        await queue.close()

    asyncio.run(wait())

    assert time.monotonic() - started < 10


@pytest.mark.parametrize("field", ["\\ud800", "sampler", "webhook"])
def test_half_of_a_character_is_a_problem_too(client: TestClient, field: str) -> None:
    answer = client.post(
        "/generate",
        content=rf'{{"model": "tiny", "{field}": "http://\udfff.example/"}}',
        headers={"Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert "unicode" in answer.json()["detail"]


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


@pytest.mark.parametrize("body", [b'{"model": "\xff"}', b"[" * 20_000])
def test_a_body_that_is_no_readable_json_is_a_problem(client: TestClient, body: bytes) -> None:
    answer = client.post("/generate", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert "the body is not JSON" in answer.json()["detail"]


def test_openapi_names_every_route_and_the_problem_document(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    assert set(document["paths"]) == {
        "/generate",
        "/generate/conditional",
        "/metrics",
        "/jobs",
        "/jobs/{job_id}",
        "/jobs/{job_id}/events",
        "/jobs/{job_id}/graphs",
        "/jobs/{job_id}/graphs/{number}",
        "/jobs/{job_id}/graphs/{number}/trajectory",
        "/models",
        "/models/{name}",
        "/models/{name}/load",
        "/models/{name}/plot",
        "/models/{name}/unload",
        "/health/live",
        "/health/ready",
    }
    assert "Problem" in document["components"]["schemas"]
    assert client.get("/docs").status_code == 200


def test_the_api_process_needs_neither_torch_nor_rdkit(redis_url: str) -> None:
    code = (
        "import sys, app.cli; from app.main import build; build();"
        "sys.exit(' '.join({'torch', 'rdkit', 'numpy', 'lightning'} & set(sys.modules)) or None)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env={"DIGRESS_REDIS_URL": redis_url}, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_building_without_redis_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGRESS_REDIS_URL", raising=False)

    with pytest.raises(ValueError, match="DIGRESS_REDIS_URL is not set"):
        build()


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
        "filter": {"valid": False, "unique": False, "connected": False},
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


def test_the_range_that_a_refusal_names_is_one_that_is_accepted(qm9_folder: Path) -> None:
    card = read_card(qm9_folder)

    for name in card.properties:
        for far in (-1e6, 1e6):
            with pytest.raises(InvalidRequest) as caught:
                complete(ConditionalRequest(model="qm9", targets={name: far}), card)
            low, high = map(float, re.findall(r"from ([^\s,]+) to ([^\s,]+)", caught.value.detail)[0])
            for bound in (low, high):
                complete(ConditionalRequest(model="qm9", targets={name: bound}), card)


def test_a_model_without_regressors_cannot_be_steered_and_says_so(redis_url: str) -> None:
    with make_client(redis_url, steerable=False) as client:
        answer = client.post("/generate/conditional", json=CONDITIONAL)

    assert answer.status_code == 422
    assert "no regressor" in answer.json()["detail"]


def test_an_unconditional_request_takes_no_targets(client: TestClient) -> None:
    answer = client.post("/generate", json=CONDITIONAL)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "targets"


@pytest.mark.parametrize("part", ["events", "graphs", "x"])
def test_an_id_with_more_behind_it_is_no_job(client: TestClient, part: str) -> None:
    location = client.post("/generate", json={"model": "tiny"}).headers["Location"]

    assert client.get(f"{location}:{part}").status_code == 404
