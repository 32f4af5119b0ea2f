from fastapi.testclient import TestClient

from app.commands.supervisor import free_port
from tests.app.conftest import PROBLEM, make_client


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
