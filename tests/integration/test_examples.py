"""What /openapi.json gives as examples, asked of the service as it is shipped."""

import json
import os
import signal
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from app.http.examples import named_examples
from tests.conftest import ShippedService
from tests.servers import children_of

WAIT = {"Prefer": "wait=60"}
EXAMPLES = named_examples()
REQUEST = EXAMPLES["succeeded"]["request"]


@pytest.fixture(scope="module")
def service(shipped_service: ShippedService) -> tuple[httpx2.Client, int]:
    """A client for the service, and the process id of its worker."""
    _, worker, _ = children_of(shipped_service.process.pid)
    return shipped_service.client, worker


@pytest.fixture(scope="module")
def client(service: tuple[httpx2.Client, int]) -> httpx2.Client:
    return service[0]


@pytest.fixture(scope="module")
def job(client: httpx2.Client) -> Any:
    """The job that the examples tell of."""
    return client.post("/generate", json=REQUEST, headers=WAIT).json()


def shape(value: Any) -> Any:
    """Names and kinds of values, less the values."""
    match value:
        case dict():
            return {name: shape(part) for name, part in value.items()}
        case list():
            return [shape(part) for part in value]
        case int() | float() if not isinstance(value, bool):
            return "number"
        case _:
            return type(value).__name__


def test_every_example_of_a_request_is_accepted_and_answered_as_declared(client: httpx2.Client) -> None:
    document = client.get("/openapi.json").json()
    bodies = {path: methods["post"] for path, methods in document["paths"].items() if path.startswith("/generate")}

    for path, operation in bodies.items():
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        for body in document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"]:
            answer = client.post(path, json=body, headers=WAIT)
            declared = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
            assert answer.status_code == 200
            assert answer.json()["status"] == "succeeded"
            jsonschema_rs.validate(declared | {"components": document["components"]}, answer.json())
    assert len(bodies) == 2


def test_the_job_of_the_examples_looks_as_they_do_while_it_waits_and_when_it_has_ended(
    service: tuple[httpx2.Client, int], job: Any
) -> None:
    client, worker = service
    os.kill(worker, signal.SIGSTOP)  # or it might have begun before the answer is written
    try:
        queued = client.post("/generate", json=REQUEST).json()
        page = client.get("/jobs", params={"cursor": queued["id"], "limit": 1}).json()
        canceled = client.delete(client.post("/generate", json=REQUEST).json()["links"]["self"]).json()
    finally:
        os.kill(worker, signal.SIGCONT)

    assert shape(job) == shape(EXAMPLES["succeeded"])
    assert job["request"] == REQUEST
    assert shape(queued) | {"progress": ...} == shape(EXAMPLES["queued"]) | {"progress": ...}
    assert queued["progress"].keys() == EXAMPLES["queued"]["progress"].keys()
    assert shape(page["jobs"]) == shape(EXAMPLES["jobs"]["jobs"])
    assert shape(EXAMPLES["running"]).keys() == shape(canceled).keys() == shape(EXAMPLES["canceled"]).keys()


@pytest.mark.parametrize(
    ("example", "path"), [("graphs", "/graphs"), ("graph", "/graphs/0"), ("trajectory", "/graphs/0/trajectory")]
)
def test_its_graphs_look_as_their_examples_do(client: httpx2.Client, job: Any, example: str, path: str) -> None:
    found = client.get(job["links"]["self"] + path).json()

    # How many bonds a graph has is its own business.
    assert shape(found).keys() == EXAMPLES[example].keys()
    assert shape(found) == shape(EXAMPLES[example])


def test_its_events_are_those_of_the_example(client: httpx2.Client, job: Any) -> None:
    def read(text: str) -> dict[str, Any]:
        """Event -> what its data look like; progress comes as often as it does."""
        blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
        return {block["event"]: shape(json.loads(block["data"])) for block in blocks}

    assert read(client.get(job["links"]["events"]).text) == read(EXAMPLES["events"])


def test_the_card_of_the_example_is_that_of_the_model_less_what_is_long(client: httpx2.Client) -> None:
    example, card = EXAMPLES["model"], client.get("/models/planar").json()

    short = ("name", "description", "licence", "domain", "node_types", "edge_types", "size_distribution", "max_nodes")
    assert {name: card[name] for name in short} == {name: example[name] for name in short}
    assert card.keys() == example.keys()
    for section in ("diffusion", "features", "network", "sampling", "guidance"):
        assert shape(card[section]) == shape(example[section])


def test_what_tells_of_the_service_is_as_its_examples(client: httpx2.Client) -> None:
    metrics = client.get("/metrics").text.splitlines()

    assert client.get("/health/live").json() == EXAMPLES["alive"]
    assert client.get("/health/ready").json() == EXAMPLES["ready"]
    help_line, type_line, value = EXAMPLES["metrics"].splitlines()
    assert metrics.index(help_line) + 1 == metrics.index(type_line)
    assert metrics[metrics.index(type_line) + 1].split()[0] == value.split()[0]


def test_a_part_is_drawn_as_the_example_has_it(client: httpx2.Client) -> None:
    (body,) = client.get("/openapi.json").json()["components"]["schemas"]["PartRequest"]["examples"]

    assert client.post("/models/qm9/parts", json=body).json() == EXAMPLES["part"]
