"""A Prometheus that watches the service at work: one for all tests."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from app.commands.supervisor import free_port
from models.checkpoint import WEIGHTS_FILE, save_checkpoint, save_regressor
from tests.conftest import make_card, make_denoiser, make_regressor, make_regressor_card
from tests.forked import WORKER, forked
from tests.servers import DIGRESS, running, valkey, wait_until

FOLDER = Path(__file__).parents[2] / "docker" / "prometheus"
FILES = ("rules.yml", "alerts.yml")
# One that always fires, so that what lists alerts has something to list.
REHEARSAL = {"alert": "Rehearsal", "expr": "vector(1)", "labels": {"severity": "warning"}}

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus is not installed (apt-get install prometheus)",
)


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A Prometheus with our rules, and every target up, after jobs of every fate."""
    folder = tmp_path_factory.mktemp("prometheus")
    save_models(folder / "checkpoints")
    api, worker, own = free_port(), free_port(), free_port()
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [*(str(FOLDER / name) for name in FILES), str(folder / "rehearsal.yml")]
    ports = {"digress-api": api, "digress-worker": worker, "prometheus": own}
    for scrape in config["scrape_configs"]:
        scrape.pop("dns_sd_configs", None)
        scrape["static_configs"] = [{"targets": [f"127.0.0.1:{ports[scrape['job_name']]}"]}]
    (folder / "rehearsal.yml").write_text(yaml.safe_dump({"groups": [{"name": "rehearsal", "rules": [REHEARSAL]}]}))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with valkey(folder) as url:
        environment = {
            "DIGRESS_REDIS_URL": url,
            "DIGRESS_CHECKPOINTS": str(folder / "checkpoints"),
            "DIGRESS_PORT": str(api),
            "DIGRESS_WORKER_METRICS_PORT": str(worker),
            "DIGRESS_MAX_JOBS": "2",
            "DIGRESS_MAX_QUEUED_JOBS": "3",
        }
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with (
            forked([DIGRESS, "api"], environment, folder / "api.log"),
            forked(WORKER, environment, folder / "worker.log"),
            running([*command, f"--web.listen-address=127.0.0.1:{own}"], {}, folder / "prometheus.log"),
            httpx2.Client(base_url=f"http://127.0.0.1:{api}", timeout=30) as service,
            httpx2.Client(base_url=f"http://127.0.0.1:{own}", timeout=30) as client,
        ):
            wait_until(lambda: answers(service, "/health/ready") and answers(client, "/-/ready"), seconds=60)

            def seen() -> bool:
                """The first jobs bring a series into being; a rate shows what was added between two scrapes that succeeded."""
                ask_for_jobs_of_every_fate(service)
                time.sleep(1.1)
                return all(
                    query(client, rate) for rate in ("digress:graphs:rate5m > 0", "digress:http_submit_seconds:p99 > 0")
                )

            try:
                for _ in range(2):  # whatever is seen of them: some fates are rare
                    seen()
                wait_until(seen, seconds=90)
            except TimeoutError as error:
                raise AssertionError(client.get("/api/v1/targets").text) from error
            yield client


def save_models(checkpoints: Path) -> None:
    """`tiny`, which can be steered, and `broken`, which the API offers and no worker can load."""
    for name in ("tiny", "broken"):
        card = make_card().model_copy(update={"name": name})
        card = save_checkpoint(card, make_denoiser(card), checkpoints / name)
        save_regressor(card, make_regressor_card(), make_regressor(card), checkpoints / name)
    (checkpoints / "broken" / WEIGHTS_FILE).write_bytes(b"")


def ask_for_jobs_of_every_fate(service: httpx2.Client) -> None:
    """Some succeed, one of them short of graphs and one steered; one fails, some are canceled, and some are turned down."""
    for path, fields in (
        ("/generate", {"model": "tiny", "num_graphs": 50}),
        ("/generate", {"model": "tiny", "num_steps": 2, "filter": {"valid": True, "connected": True}}),
        ("/generate/conditional", {"model": "tiny", "targets": {"a": 1}}),
        ("/generate", {"model": "broken"}),
        ("/generate", {"model": "none"}),
    ):
        service.post(path, json=fields, headers={"Prefer": "wait=20"})
    large = [service.post("/generate", json={"model": "tiny", "num_graphs": 10_000}) for _ in range(6)]
    assert {answer.status_code for answer in large} == {202, 503}
    accepted = [answer.headers["Location"] for answer in large if answer.status_code == 202]
    wait_until(lambda: service.get(accepted[0]).json()["status"] == "running", seconds=20)
    for location in reversed(accepted):
        service.delete(location)


def answers(client: httpx2.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx2.TransportError:
        return False


def query(client: httpx2.Client, expression: str) -> list[Any]:
    answer = client.get("/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found
