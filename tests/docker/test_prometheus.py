"""The rules and alerts of Prometheus, by its own tool, and by a real Prometheus that watches the service at work."""

import math
import re
import subprocess
from typing import Any

import httpx2
import pytest
import yaml

from tests.docker.conftest import FILES, FOLDER, needs_prometheus, query

RULES = [
    rule for name in FILES for group in yaml.safe_load((FOLDER / name).read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule["alert"] for rule in RULES if "alert" in rule]


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

    assert {test["alertname"] for test in tested if test["exp_alerts"]} == set(ALERTS)
    assert sorted(test["alertname"] for test in tested if not test["exp_alerts"]) == sorted(ALERTS)


def test_every_alert_says_what_to_do_and_so_does_the_readme() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]

    assert all(alert["annotations"]["summary"] and alert["annotations"]["action"] for alert in alerts)
    readme = (FOLDER.parent / "README.md").read_text()
    assert all(f"| `{alert['alert']}` |" in readme for alert in alerts)
    assert {alert["labels"]["severity"] for alert in alerts} == {"critical", "warning"}


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
def test_what_an_alert_compares_is_there_and_finite(prometheus: httpx2.Client, rule: Any) -> None:
    compared = re.sub(r"( or absent\(.*\))|( (==|<|>) [\d.]+)", "", rule["expr"])
    assert compared != rule["expr"]

    found = query(prometheus, compared)

    assert found
    assert all(math.isfinite(float(result["value"][1])) for result in found)
    query(prometheus, rule["expr"])


@needs_prometheus
def test_nothing_fires_at_once_but_the_rehearsal(prometheus: httpx2.Client) -> None:
    alerts = prometheus.get("/api/v1/alerts").json()["data"]["alerts"]

    assert [alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"] == ["Rehearsal"]
