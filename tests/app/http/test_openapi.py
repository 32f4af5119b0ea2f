"""/openapi.json: it says all that is answered, and its examples are true. (What qm9 has answered is asked for again in `tests/integration`.)"""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient
from redis import Redis
from structlog.testing import capture_logs

from app.access.api_keys import ApiKeyStore
from app.commands.supervisor import free_port
from app.http.examples import JOB_ID, named_examples
from app.schemas import Graph, JobSummary
from tests.app.conftest import PROBLEM, make_client
from worker.records import JobRecord

ADMIN_KEY = "a-key-for-the-first-admin"

DOCUMENT: dict[str, Any] = make_client("redis://127.0.0.1:1/0").app.openapi()  # type: ignore[attr-defined]

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def resolve(part: Any) -> Any:
    """What a reference stands for; what is none, itself."""
    while "$ref" in part:
        found = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def valued_parts(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What has a value, by name: parameters, bodies, headers."""
    for parameter in map(resolve, operation["parameters"]):
        yield parameter["name"], parameter
    yield from operation.get("requestBody", {"content": {}})["content"].items()
    for status, answer in operation["responses"].items():
        described = resolve(answer)
        for name, part in {**described.get("headers", {}), **described.get("content", {})}.items():
            yield f"{status} {name}", resolve(part)


def examples(part: dict[str, Any]) -> list[Any]:
    """Of a part: its own, or those of its schema."""
    schema = part.get("schema", {})
    named = [resolve(example)["value"] for example in part.get("examples", {}).values()]
    own = [part["example"]] if "example" in part else []
    return named or own or schema.get("examples") or resolve(schema).get("examples", [])


def fits(value: object, schema: dict[str, Any]) -> bool:
    return jsonschema_rs.validator_for(schema | {"components": DOCUMENT["components"]}).is_valid(value)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_has_a_value_has_an_example_and_that_fits(operation: str) -> None:
    for name, part in valued_parts(OPERATIONS[operation]):
        found = examples(part)
        assert found, name
        assert all(fits(example, part.get("schema", {"type": "string"})) for example in found), name


def test_the_examples_of_every_schema_fit_it() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    found = [(name, example) for name, schema in schemas.items() for example in schema.get("examples", [])]

    assert {name for name, _ in found} > {"GenerateRequest", "ConditionalRequest"}
    assert not [name for name, example in found if not fits(example, schemas[name])]


def test_the_message_of_a_webhook_is_described() -> None:
    operation = DOCUMENT["webhooks"]["job-ended"]["post"]

    assert {parameter["name"] for parameter in operation["parameters"]} == {
        *("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    schema = resolve(operation["requestBody"]["content"]["application/json"]["schema"])
    assert set(schema["properties"]) == {"type", "timestamp", "data"}
    assert "graphs" not in resolve(schema["properties"]["data"])["required"]


def test_no_example_is_without_a_place() -> None:
    used = str(DOCUMENT["paths"])

    assert not [name for name in named_examples() if f"'#/components/examples/{name}'" not in used]


def test_parameters_are_as_they_can_be_sent() -> None:
    for operation in OPERATIONS.values():
        for parameter in map(resolve, operation["parameters"]):
            assert "'null'" not in str(parameter["schema"])
            assert parameter["name"].lower() not in {"accept", "content-type", "authorization"}  # OpenAPI ignores these


def test_no_answer_is_told_of_that_only_the_framework_gives() -> None:
    assert "HTTPValidationError" not in str(DOCUMENT)


@pytest.fixture
def guarded(redis_url: str, redis: Redis) -> Iterator[TestClient]:
    """With the key of an administrator, as it is by default, and a user's key."""
    with make_client(redis_url, admin_key=ADMIN_KEY, job_ttl_seconds=86_400) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        yield client


@pytest.fixture
def user(redis: Redis) -> dict[str, str]:
    _, token = ApiKeyStore(redis).create("chemistry", rate=60)
    return {"Authorization": f"Bearer {token}"}


BODY = {"model": "tiny"}

ASKED: dict[int, tuple[str, str, dict[str, Any]]] = {
    400: ("POST", "/generate", {"json": BODY, "headers": {"Prefer": "wait=90"}}),
    401: ("GET", "/jobs", {"headers": {"Authorization": ""}}),
    404: ("GET", f"/jobs/{JOB_ID}", {}),
    405: ("PUT", f"/jobs/{JOB_ID}", {}),
    413: ("GET", "/health/live", {"headers": {"Content-Length": "100000"}}),
    415: ("POST", "/generate", {"data": BODY}),
    422: ("POST", "/generate", {"json": BODY | {"num_graphs": 20_000}}),
}

PROBLEMS = {int(name.removeprefix("Problem")): problem for name, problem in DOCUMENT["components"]["responses"].items()}


def check_example(answer: Any, status: int) -> None:
    """That it is the example of its status, with the headers that the document tells of."""
    assert answer.status_code == status == answer.json()["status"]
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json() == PROBLEMS[status]["content"][PROBLEM]["example"]
    assert {name.lower() for name in PROBLEMS[status]["headers"]} <= set(answer.headers)


@pytest.mark.parametrize("status", ASKED)
def test_a_problem_is_said_as_its_example_has_it(guarded: TestClient, status: int) -> None:
    method, path, more = ASKED[status]

    check_example(guarded.request(method, path, **more), status)


def test_a_host_that_is_not_ours_is_told_as_its_example_has_it(client: TestClient) -> None:
    check_example(client.get("/models", headers={"Host": "digress.example"}), 421)


def test_what_a_users_key_does_not_allow_is_said_as_its_example_has_it(
    guarded: TestClient, user: dict[str, str]
) -> None:
    refused = guarded.post("/models/tiny/load", headers=user)
    many = [guarded.post("/generate", json=BODY, headers=user) for _ in range(122)]  # a minute may end in between

    check_example(refused, 403)
    check_example(next(answer for answer in many if answer.status_code != 202), 429)


def test_what_there_is_not_of_a_job_is_said_as_its_example_has_it(guarded: TestClient, redis: Redis) -> None:
    job = guarded.post("/generate", json=BODY).json()
    graph = Graph(graph={"model": "planar", "seed": 1}, nodes=[{"id": 0, "type": "node"}], edges=[])

    early = guarded.get(job["links"]["graphs"])
    JobRecord(redis, job["id"], ttl_seconds=60).succeed([graph], JobSummary(num_graphs=1, seconds=1))
    late = guarded.get(job["links"]["graphs"], params={"format": "sdf"})

    check_example(early, 409)
    check_example(late, 406)


def test_a_fault_is_said_as_its_example_has_it(guarded: TestClient) -> None:
    guarded.app.state.served_models = None  # type: ignore[attr-defined]  # what no request can do

    with capture_logs():  # or the trace is drawn with all that its frames hold, which takes seconds
        check_example(guarded.get("/models"), 500)


@pytest.fixture(scope="module")
def cut_off() -> Iterator[TestClient]:
    """Without a Redis."""
    with make_client(f"redis://127.0.0.1:{free_port()}/0", admin_key=ADMIN_KEY) as client:
        yield client


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if "security" in operation])
def test_every_operation_that_needs_a_key_tells_of_a_redis_that_is_gone(cut_off: TestClient, name: str) -> None:
    method, path = name.split()
    values = {parameter["name"]: examples(parameter)[0] for parameter in map(resolve, OPERATIONS[name]["parameters"])}
    body = {"model": "tiny", "targets": {"a": 1}} if path.endswith("conditional") else {"model": "tiny"}

    answer = cut_off.request(
        method,
        path.format_map(values),
        json=body if "requestBody" in OPERATIONS[name] else None,
        headers={"Authorization": f"Bearer dg_0123456789ab_{'x' * 43}"},
    )

    assert "503" in OPERATIONS[name]["responses"]
    check_example(answer, 503)


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
        "/models/{name}/parts",
        "/models/{name}/plot",
        "/models/{name}/unload",
        "/webhooks/secret",
        "/health/live",
        "/health/ready",
    }
    assert "Problem" in document["components"]["schemas"]
    assert client.get("/docs").status_code == 200
