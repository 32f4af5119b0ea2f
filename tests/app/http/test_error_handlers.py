"""Every error is a problem document."""

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.conftest import PROBLEM, make_client


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


def test_an_unforeseen_fault_is_a_problem_that_tells_nothing(redis_url: str) -> None:
    client = make_client(redis_url)
    client.app.state.served_models = None  # type: ignore[attr-defined]  # what no request can do

    answer = client.get("/models")

    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert "NoneType" not in answer.text


def test_an_address_with_a_slash_too_many_is_a_problem(client: TestClient) -> None:
    answer = client.get("/models/", follow_redirects=False)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)


@pytest.mark.parametrize("field", ["\\ud800", "sampler", "webhook"])
def test_half_of_a_character_is_a_problem_too(client: TestClient, field: str) -> None:
    answer = client.post(
        "/generate",
        content=rf'{{"model": "tiny", "{field}": "http://\udfff.example/"}}',
        headers={"Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert "unicode" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b'{"model": "\xff"}', b"[" * 20_000])
def test_a_body_that_is_no_readable_json_is_a_problem(client: TestClient, body: bytes) -> None:
    answer = client.post("/generate", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM)
    assert "the body is not JSON" in answer.json()["detail"]


def test_of_thousands_of_mistakes_the_first_ten_are_told_soon(client: TestClient) -> None:
    body = {"model": "tiny", **{f"field{number}": 1 for number in range(4_000)}}

    began = time.process_time()
    answer = client.post("/generate", json=body)
    seconds = time.process_time() - began

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 10
    assert answer.json()["detail"].endswith("; and 3990 more mistakes")
    assert len(answer.content) < 10_000
    assert seconds < 1


@pytest.mark.parametrize(
    "body", [{"x" * 60_000: 1}, {"model": "x" * 60_000}, {"model": "tiny", "num_graphs": "9" * 60_000}]
)
def test_the_answer_to_a_mistake_is_short_however_long_it_is(client: TestClient, body: dict[str, Any]) -> None:
    answer = client.post("/generate", json=body)

    assert answer.status_code == 422
    assert len(answer.content) < 3_000


def test_the_answer_about_a_path_is_short_however_long_it_is(client: TestClient) -> None:
    answers = [
        client.get("/" + "x" * 60_000),
        client.get("/jobs/" + "x" * 60_000),
        client.get("/models/" + "x" * 60_000),
    ]
    job = client.post("/generate", json={"model": "tiny"}).json()["links"]["self"]
    answers.append(client.get(f"{job}/graphs", headers={"Accept": "x" * 60_000}))

    assert [answer.status_code for answer in answers] == [404, 404, 404, 406]
    assert all(len(answer.content) < 3_000 for answer in answers)
