"""Jobs that are canceled, and jobs that do not exist."""

import pytest
from fastapi.testclient import TestClient

from tests.app.conftest import PROBLEM


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


@pytest.mark.parametrize("part", ["events", "graphs", "x"])
def test_an_id_with_more_behind_it_is_no_job(client: TestClient, part: str) -> None:
    location = client.post("/generate", json={"model": "tiny"}).headers["Location"]

    assert client.get(f"{location}:{part}").status_code == 404
