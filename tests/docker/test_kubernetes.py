"""The manifests: what kubernetes-validate (`make check`) cannot know, that they agree with each other and with the service."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.docker.compose import read_image
from tests.docker.containers import ROOT

FOLDER = ROOT / "docker" / "kubernetes"
RULES = (ROOT / "docker" / "prometheus" / "rules.yml").read_text()


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


BASE = FOLDER / "base"
KUSTOMIZATION = read(BASE / "kustomization.yaml")
OVERLAYS = {name: read(FOLDER / name / "kustomization.yaml") for name in ("cpu", "gpu")}
RESOURCES = [
    resource for name in KUSTOMIZATION["resources"] for resource in yaml.safe_load_all((BASE / name).read_text())
]
WORKLOADS = [resource for resource in RESOURCES if resource["kind"] in {"Deployment", "StatefulSet"}]


def named(kind: str, name: str) -> Any:
    (found,) = [r for r in RESOURCES if r["kind"] == kind and r["metadata"]["name"] == name]
    return found


def pod(workload: Any) -> Any:
    return workload["spec"]["template"]["spec"]


def containers() -> Iterator[Any]:
    for workload in WORKLOADS:
        yield from pod(workload)["containers"]


def test_every_manifest_is_applied() -> None:
    files = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}

    assert files == set(KUSTOMIZATION["resources"])
    assert not list(FOLDER.glob("*.yaml"))
    # Kustomize refuses a folder that holds the one it is asked from.
    assert all(overlay["resources"] == ["../base"] for overlay in OVERLAYS.values())


def test_every_pod_is_confined_limited_and_watched() -> None:
    for workload in WORKLOADS:
        security = pod(workload)["securityContext"]
        assert security["runAsNonRoot"]
        assert security["runAsUser"] in {999, 10001}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod(workload)["automountServiceAccountToken"] is False
    for container in containers():
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"] or (
            container["name"] == "api"
        )
        assert {"startupProbe", "livenessProbe"} <= container.keys()
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_services_budgets_policies_and_monitors_choose_pods_that_there_are() -> None:
    labels = [workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] for workload in WORKLOADS]
    for workload in WORKLOADS:
        assert (
            workload["spec"]["selector"]["matchLabels"].items()
            <= workload["spec"]["template"]["metadata"]["labels"].items()
        )
    chosen = re.findall(
        r"app\.kubernetes\.io/name: ([\w-]+)|values: \[([^\]]+)\]",
        "\n".join((BASE / name).read_text() for name in KUSTOMIZATION["resources"]),
    )

    assert {name for one, many in chosen for name in (one or many).split(", ")} == set(labels)


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_pod_runs_what_its_image_holds_with_settings_that_there_are(name: str) -> None:
    (container,) = pod(named("Deployment", name))["containers"]
    image = read_image(ROOT / "docker" / f"{name}.Dockerfile")
    literals = dict(text.split("=") for text in KUSTOMIZATION["configMapGenerator"][0]["literals"])
    given = {entry["name"] for entry in container["env"]} | set(literals)

    assert container["args"] == image.command
    assert [port["containerPort"] for port in container["ports"]] == [image.port]
    assert str(pod(named("Deployment", name))["securityContext"]["runAsUser"]) == image.user.partition(":")[0]
    assert {variable for variable in given if variable.startswith("DIGRESS_")} <= {
        f"DIGRESS_{field.upper()}" for field in Settings.model_fields
    }
    assert all(container["image"] in {image["name"] for image in overlay["images"]} for overlay in OVERLAYS.values())
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]


def test_a_worker_is_given_the_time_that_it_needs_to_stop() -> None:
    literals = dict(text.split("=") for text in KUSTOMIZATION["configMapGenerator"][0]["literals"])

    assert (
        pod(named("Deployment", "worker"))["terminationGracePeriodSeconds"] > int(literals["DIGRESS_DRAIN_SECONDS"]) + 5
    )


def test_workers_are_scaled_from_none_by_what_prometheus_records() -> None:
    spec = named("ScaledObject", "worker")["spec"]

    assert spec["minReplicaCount"] == 0
    assert spec["scaleTargetRef"]["name"] == "worker"
    assert "replicas" not in named("Deployment", "worker")["spec"]  # or every `apply` would undo what KEDA did
    for trigger in spec["triggers"]:
        assert f"- record: {trigger['metadata']['query']}\n" in RULES
        # Prometheus that knows nothing is no reason to stop workers.
        assert trigger["metadata"]["ignoreNullValues"] == "false"
        assert trigger["metadata"]["activationThreshold"] == "0"
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert int(spec["triggers"][1]["metadata"]["threshold"]) == Settings().max_jobs


def test_the_api_is_asked_for_no_worker_before_it_is_given_requests() -> None:
    (container,) = pod(named("Deployment", "api"))["containers"]

    assert container["readinessProbe"]["httpGet"]["path"] == "/health/live"


def test_prometheus_calls_its_jobs_as_the_alerts_do() -> None:
    spec = named("PodMonitor", "digress")["spec"]
    (names,) = [expression["values"] for expression in spec["selector"]["matchExpressions"]]
    alerts = (ROOT / "docker" / "prometheus" / "alerts.yml").read_text()

    assert spec["jobLabel"] == "app.kubernetes.io/name"
    assert set(re.findall(r'job="([\w-]+)"', alerts)) == set(names)
    ports = {port["name"] for container in containers() for port in container["ports"]}
    assert {endpoint["port"] for endpoint in spec["podMetricsEndpoints"]} <= ports


def test_a_gpu_is_added_where_the_limits_are() -> None:
    (patch,) = OVERLAYS["gpu"]["patches"]

    for change in yaml.safe_load(patch["patch"]):
        place: Any = named("Deployment", patch["target"]["name"])
        *way, last = change["path"].removeprefix("/").split("/")
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        assert (last in place) == (change["op"] == "replace")


def test_the_secret_that_is_asked_for_is_the_one_that_the_readme_makes() -> None:
    asked = set(re.findall(r"key: ([\w-]+)", "\n".join((BASE / f).read_text() for f in KUSTOMIZATION["resources"])))
    asked -= {"app"}
    readme = (ROOT / "docker" / "README.md").read_text()

    assert {"redis-password", "admin-key"} <= asked
    assert all(f"--from-literal={key}=" in readme for key in ("redis-password", "admin-key"))
