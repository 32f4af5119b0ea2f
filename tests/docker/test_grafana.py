"""The dashboard, as Grafana reads it, and each of its queries put to a real Prometheus that watches the service at work.

`.venv/bin/pytest -m slow -s tests/docker/test_grafana.py` prints what every panel shows.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.docker.conftest import FOLDER as PROMETHEUS
from tests.docker.conftest import needs_prometheus, query

GRAFANA = Path(__file__).parents[2] / "docker" / "grafana"
BOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "digress.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
ANNOTATIONS = BOARD["annotations"]["list"]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What Grafana puts in place of its variables.
VALUES = {"$__rate_interval": "1m", "$model": ".*"}


def test_grafana_finds_the_dashboard_and_the_dashboard_its_prometheus() -> None:
    (source,) = read("provisioning/datasources/prometheus.yml")["datasources"]
    (provider,) = read("provisioning/dashboards/digress.yml")["providers"]

    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert VARIABLES["datasource"]["query"] == source["type"]
    assert VARIABLES["datasource"]["current"] == {"text": source["name"], "value": source["uid"]}
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped


def test_everything_asks_the_source_that_is_chosen() -> None:
    sources = [asking["datasource"] for asking in [*PANELS, *ANNOTATIONS, VARIABLES["model"]]]

    assert all(source == SOURCE for source in sources)
    assert not [target for panel in PANELS for target in panel["targets"] if "datasource" in target]


def test_every_panel_has_a_unit_and_says_in_a_sentence_what_it_shows() -> None:
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert ". " not in panel["description"], panel["title"]


def test_panels_lie_side_by_side_under_their_rows() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells)) == 24 * len({y for _, y in cells}), "panels overlap, or leave a gap"
    assert {x for x, _ in cells} == set(range(24))
    tops = [panel["gridPos"]["y"] for panel in BOARD["panels"]]
    assert tops == sorted(tops)
    assert BOARD["panels"][0]["type"] == "row"


def test_panels_are_told_apart_by_id_and_by_title() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)


def test_what_every_replica_says_of_the_queue_is_never_added_up() -> None:
    rules = [rule for name in ("rules.yml", "alerts.yml") for rule in rules_of(name)]
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]] + [rule["expr"] for rule in rules]

    # An alert tells of each API by itself that does not reach Redis.
    outside = [re.sub(r"\bmax\([^()]*\)|^digress_redis_up == 0$", "", expression) for expression in expressions]
    assert [found for found in outside if re.search(r"digress_(queue_|workers|redis_up)", found)] == []


@needs_prometheus
@pytest.mark.slow
def test_every_query_of_every_panel_gives_finite_values_under_traffic(prometheus: httpx2.Client) -> None:
    faults = []
    for panel in PANELS:
        unit = re.sub(r"^(none$|suffix:)", "", panel["fieldConfig"]["defaults"]["unit"])
        for target in panel["targets"]:
            found = ask(prometheus, target["expr"])
            shown = "; ".join(f"{legend(target, one)} {value(one):.4g} {unit}".strip() for one in found)
            print(f"{panel['title']:24}{shown}")  # noqa: T201
            if not found or not all(math.isfinite(value(one)) for one in found):
                faults.append((panel["title"], target["refId"], shown))

    assert faults == []


@needs_prometheus
@pytest.mark.slow
def test_alerts_that_fire_are_marked_and_models_can_be_chosen(prometheus: httpx2.Client) -> None:
    (alerts,) = ANNOTATIONS
    (metric, label) = re.findall(r"label_values\((\w+), (\w+)\)", VARIABLES["model"]["query"]["query"])[0]

    marked = ask(prometheus, alerts["target"]["expr"])
    models = prometheus.get(f"/api/v1/label/{label}/values", params={"match[]": metric}).json()["data"]

    assert [one["metric"]["alertname"] for one in marked] == ["Rehearsal"]
    assert models == ["tiny"]


def read(path: str) -> Any:
    return yaml.safe_load((GRAFANA / path).read_text())


def rules_of(name: str) -> list[Any]:
    return [rule for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"] for rule in group["rules"]]


def ask(prometheus: httpx2.Client, expression: str) -> list[Any]:
    for name, put in VALUES.items():
        expression = expression.replace(name, put)
    return query(prometheus, expression)


def legend(target: Any, result: Any) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: result["metric"].get(found[1], ""), target["legendFormat"])


def value(result: Any) -> float:
    return float(result["value"][1])
