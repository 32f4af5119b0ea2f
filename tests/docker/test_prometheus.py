"""The rules and alerts of Prometheus, by its own tool, and by a real Prometheus that watches the service at work."""

import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from app.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.servers import DIGRESS, running, valkey, wait_until

FOLDER = Path(__file__).parents[2] / "docker" / "prometheus"
FILES = ("rules.yml", "alerts.yml")
RULES = [
    rule for name in FILES for group in yaml.safe_load((FOLDER / name).read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule["alert"] for rule in RULES if "alert" in rule]

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus is not installed (apt-get install prometheus)",
)


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_prometheus
def test_configuration_rules_and_alerts_are_sound_and_fire_when_they_should() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", *FILES)
    promtool("test", "rules", "alerts_test.yml")


def test_every_alert_is_tested_firing_and_silent() -> None:
    tested = [
        test
        for case in yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
        for test in case["alert_rule_test"]
    ]

    assert sorted(test["alertname"] for test in tested if test["exp_alerts"]) == sorted(ALERTS)
    assert sorted(test["alertname"] for test in tested if not test["exp_alerts"]) == sorted(ALERTS)


def test_every_alert_says_what_to_do_and_so_does_the_readme() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]

    assert all(alert["annotations"]["summary"] and alert["annotations"]["action"] for alert in alerts)
    readme = (FOLDER.parents[1] / "README.md").read_text()
    assert all(f"| `{alert['alert']}` |" in readme for alert in alerts)
    assert {alert["labels"]["severity"] for alert in alerts} == {"critical", "warning"}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A Prometheus with our rules, and every target up, after jobs of every fate."""
    folder = tmp_path_factory.mktemp("prometheus")
    save_checkpoint(make_card(), make_denoiser(make_card()), folder / "checkpoints" / "tiny")
    api, worker, own = free_port(), free_port(), free_port()
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(FOLDER / name) for name in FILES]
    ports = {"digress-api": api, "digress-worker": worker, "prometheus": own}
    for scrape in config["scrape_configs"]:
        scrape.pop("dns_sd_configs", None)
        scrape["static_configs"] = [{"targets": [f"127.0.0.1:{ports[scrape['job_name']]}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with valkey(folder) as url:
        environment = {
            "DIGRESS_REDIS_URL": url,
            "DIGRESS_CHECKPOINTS": str(folder / "checkpoints"),
            "DIGRESS_PORT": str(api),
            "DIGRESS_WORKER_METRICS_PORT": str(worker),
        }
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with (
            running([DIGRESS, "api"], environment, folder / "api.log"),
            running([sys.executable, "-m", "worker"], environment, folder / "worker.log"),
            running([*command, f"--web.listen-address=127.0.0.1:{own}"], {}, folder / "prometheus.log"),
            httpx2.Client(base_url=f"http://127.0.0.1:{api}", timeout=30) as service,
            httpx2.Client(base_url=f"http://127.0.0.1:{own}", timeout=30) as client,
        ):
            wait_until(lambda: answers(service, "/health/ready") and answers(client, "/-/ready"), seconds=60)
            for _ in range(4):
                for fields in ({}, {"num_graphs": 50}, {"model": "none"}):
                    service.post("/generate", json={"model": "tiny", **fields}, headers={"Prefer": "wait=20"})
                time.sleep(1.1)
            wait_until(lambda: len(query(client, "digress:graphs:rate5m > 0")) == 1, seconds=30)
            yield client


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


@needs_prometheus
def test_a_real_prometheus_reaches_every_target(prometheus: httpx2.Client) -> None:
    assert {result["metric"]["job"]: result["value"][1] for result in query(prometheus, "up")} == {
        "digress-api": "1",
        "digress-worker": "1",
        "prometheus": "1",
    }


@needs_prometheus
@pytest.mark.parametrize("rule", [rule for rule in RULES if "record" in rule], ids=lambda rule: rule["record"])
def test_every_recording_rule_gives_finite_values_under_traffic(prometheus: httpx2.Client, rule: Any) -> None:
    found = query(prometheus, rule["record"])

    assert found
    assert all(math.isfinite(float(result["value"][1])) for result in found)


@needs_prometheus
@pytest.mark.parametrize("rule", [rule for rule in RULES if "alert" in rule], ids=lambda rule: rule["alert"])
def test_every_alert_asks_for_what_there_is(prometheus: httpx2.Client, rule: Any) -> None:
    names = set(re.findall(r"\b(?:digress[a-z0-9_:]*|up)\b", re.sub(r'"[^"]*"', "", rule["expr"])))
    # A counter that has counted nothing yet has no series.
    names -= {"digress_engine_memory_short_total"}

    assert names or rule["alert"] == "DigressMemoryShort"
    assert all(query(prometheus, name) for name in names)
    query(prometheus, rule["expr"])


@needs_prometheus
def test_nothing_fires_while_all_is_well(prometheus: httpx2.Client) -> None:
    alerts = prometheus.get("/api/v1/alerts").json()["data"]["alerts"]

    assert not [alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"]
