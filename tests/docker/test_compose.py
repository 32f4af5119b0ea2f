"""docker-compose.yml, started as it stands: commands, environment, users, mounts, dependencies, health checks, names."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app.settings import Settings
from models.card.folder import shipped_checkpoints
from tests.docker.compose import OWNERS, Project, interpolate, read_image, read_services, read_variables
from tests.docker.containers import ROOT, Container, network, why_not
from tests.servers import wait_until

SECRETS = {"REDIS_PASSWORD": "5ec0ffee", "DIGRESS_ADMIN_KEY": "an-admin-key-of-48", "GRAFANA_PASSWORD": "9rafana"}
EXAMPLE = read_variables(ROOT / ".env.example")
# What each container has of its own, and what images have no compiler for.
NOT_FOR_USERS = {"host", "device", "redis_url", "checkpoints", "log_format", "worker_metrics_port", "compile"}
LEASE_SECONDS = 3

needs_namespaces = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (apt-get install prometheus)"
)


def test_variables_are_filled_in_as_compose_does() -> None:
    assert interpolate("${A:-1}:${B:-2} $$C ${D:-}", {"B": "3"}) == "1:3 $C "
    with pytest.raises(ValueError, match=r"A: set it"):
        interpolate("${A:?set it}", {"A": ""})


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_starts_without_its_secrets(secret: str) -> None:
    with pytest.raises(ValueError, match=f"{secret}: set it in .env"):
        read_services({**EXAMPLE, **SECRETS, secret: ""})


def test_every_variable_is_in_the_example_and_every_one_of_the_example_is_used() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))

    assert used == set(EXAMPLE)


def test_every_setting_can_be_set() -> None:
    services = read_services(EXAMPLE | SECRETS)
    passed = {name for service in ("api", "worker") for name in services[service]["environment"]}

    assert {f"DIGRESS_{name.upper()}" for name in Settings.model_fields if name not in NOT_FOR_USERS} <= passed
    assert {name for name in passed if name.startswith("DIGRESS_")} <= {
        f"DIGRESS_{name.upper()}" for name in Settings.model_fields
    }


def test_what_the_example_sets_is_what_is_set_without_it() -> None:
    assert read_services(SECRETS) == read_services(EXAMPLE | SECRETS)


def test_every_service_is_confined_and_watched() -> None:
    for service in read_services(EXAMPLE | SECRETS).values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]
        assert service["mem_limit"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        if "build" not in service:
            assert int(service["user"].partition(":")[0]) == OWNERS[service["image"].partition(":")[0]]


def test_what_redis_holds_is_in_its_volume() -> None:
    redis = read_services(EXAMPLE | SECRETS)["redis"]

    assert redis["volumes"] == ["redis:/data"]
    assert "--dir /data --appendonly yes" in redis["command"][-1]


@pytest.mark.parametrize("name", ["api", "prometheus", "grafana"])
def test_the_port_that_is_published_is_the_one_that_is_listened_on(name: str) -> None:
    service = read_services(EXAMPLE | SECRETS)[name]

    (published,) = service["ports"]
    (asked,) = re.findall(r"http://(?:localhost|127\.0\.0\.1):(\d+)", str(service["healthcheck"]["test"]))
    assert published.rpartition(":")[2] == asked


def test_a_worker_is_given_the_time_that_it_needs_to_stop() -> None:
    grace = int(read_services(EXAMPLE | SECRETS)["worker"]["stop_grace_period"].removesuffix("s"))

    assert grace > Settings().drain_seconds + 5


@pytest.mark.parametrize("name", ["api", "worker"])
def test_images_run_as_nobody_in_particular_with_what_compose_tells_them(name: str) -> None:
    image = read_image(ROOT / "docker" / f"{name}.Dockerfile")
    service = read_services(EXAMPLE | SECRETS)[name]

    assert image.user == "10001:10001"
    assert service["command"] == image.command == [name]
    assert (
        image.environment.items() - {("PATH", "/opt/digress/bin:$PATH")}
        <= (service["environment"] | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}).items()
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("compose")
    models = folder / "models"
    shutil.copytree(shipped_checkpoints() / "qm9", models / "qm9")
    variables = EXAMPLE | SECRETS | {"DIGRESS_MODELS": str(models), "DIGRESS_LEASE_SECONDS": str(LEASE_SECONDS)}
    variables |= {"WORKER_CPUS": "1"}
    volumes = folder / "volumes"
    volumes.mkdir()
    with network(folder) as net:
        yield Project(net, variables, volumes, profile="cpu")


@pytest.fixture(scope="module")
def running(project: Project) -> Iterator[dict[str, list[Container]]]:
    with project.up("redis", "api", "worker", scale={"worker": 2}) as containers:
        yield containers


@pytest.fixture(scope="module")
def client(running: dict[str, list[Container]]) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {SECRETS['DIGRESS_ADMIN_KEY']}"}
    with httpx2.Client(base_url=f"http://{running['api'][0].address}:8000", headers=headers, timeout=70) as client:
        wait_until(lambda: client.get("/health/ready").status_code == 200, seconds=90)
        yield client


@pytest.mark.slow
@needs_namespaces
def test_a_job_goes_through_for_who_has_the_key(client: httpx2.Client) -> None:
    body = {"model": "qm9", "num_graphs": 4, "seed": 7, "num_steps": 10}

    job = client.post("/generate", json=body, headers={"Prefer": "wait=60"}).json()

    assert job["status"] == "succeeded"
    assert len(job["graphs"]) == 4
    assert httpx2.post(f"{client.base_url}/generate", json=body).status_code == 401


@pytest.mark.slow
@needs_namespaces
@pytest.mark.parametrize("name", ["redis", "api", "worker"])
def test_a_service_has_no_rights_and_no_place_to_write_but_its_own(
    running: dict[str, list[Container]], name: str
) -> None:
    container = running[name][0]
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{container.process.pid}/status").read_text().splitlines()
    )

    assert status["Uid"].split()[0] in {"10001", "999"}
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert "Read-only file system" in container.execute(["touch", "/opt/x"]).stderr
    assert "Read-only file system" in container.execute(["touch", "/src/x"]).stderr
    assert container.execute(["touch", "/tmp/x"]).returncode == 0


@pytest.mark.slow
@needs_namespaces
def test_redis_lets_nobody_in_without_the_password_and_no_list_of_processes_tells_it(
    running: dict[str, list[Container]],
) -> None:
    (redis,) = running["redis"]
    asked = redis.execute(["sh", "-c", "REDISCLI_AUTH=wrong valkey-cli ping"])

    assert "invalid username-password pair" in asked.stderr
    assert SECRETS["REDIS_PASSWORD"] not in Path(f"/proc/{redis.process.pid}/cmdline").read_text()


@pytest.mark.slow
@needs_namespaces
@needs_prometheus
def test_prometheus_finds_the_api_and_both_workers_by_name(
    project: Project, running: dict[str, list[Container]]
) -> None:
    with project.up("prometheus", beside=running) as containers:
        (prometheus,) = containers["prometheus"]

        def targets(asked: httpx2.Client) -> set[tuple[str, str]]:
            answer = asked.get("/api/v1/targets").json()["data"]["activeTargets"]
            return {(target["labels"]["instance"], target["health"]) for target in answer}

        addresses = [f"{worker.address}:9100" for worker in running["worker"]]
        expected = {(address, "up") for address in ("api:8000", "localhost:9090", *addresses)}
        with httpx2.Client(base_url=f"http://{prometheus.address}:9090") as asked:
            wait_until(lambda: targets(asked) == expected, seconds=60)


@pytest.mark.slow
@needs_namespaces
def test_what_a_host_was_computing_when_its_network_went_is_computed_by_the_other(
    running: dict[str, list[Container]], client: httpx2.Client
) -> None:
    body = {"model": "qm9", "num_graphs": 24, "seed": 5, "num_steps": 100}
    job = client.post("/generate", json=body).json()

    def worker_of_it() -> Container | None:
        if client.get(f"/jobs/{job['id']}").json()["status"] != "running":
            return None
        counts = {c.address: jobs_of(c) for c in running["worker"]}
        return next((c for c in running["worker"] if counts[c.address] >= 1), None)

    wait_until(lambda: worker_of_it() is not None, seconds=30)
    lost = worker_of_it()
    assert lost is not None
    lost.cut_off()

    deadline = time.monotonic() + 90
    while (found := client.get(f"/jobs/{job['id']}").json())["status"] not in {"succeeded", "failed"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    assert found["status"] == "succeeded"
    again = client.post("/generate", json=body, headers={"Prefer": "wait=60"}).json()
    assert found["graphs"] == again["graphs"]


def jobs_of(worker: Container) -> float:
    """Jobs that a worker is computing, by its own metrics."""
    text = httpx2.get(f"http://{worker.address}:9100/metrics").text
    (value,) = re.findall(r"^digress_engine_jobs (\S+)$", text, re.MULTILINE)
    return float(value)
