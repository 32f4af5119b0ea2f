"""docker-compose.yml as a container engine reads it, as far as this project's file goes."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.docker.containers import ROOT, Container, Mount, Network

# What the images that are not ours begin with.
_ENTRYPOINTS = {"valkey/valkey": [], "prom/prometheus": ["prometheus"]}
# Whom the folders belong to that volumes are mounted at, in these images.
OWNERS = {"valkey/valkey": 999, "prom/prometheus": 65_534, "grafana/grafana": 472}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME:-default}`, `${NAME:?message}` and `$$` replaced, as the Compose specification says, section 12.

    Raises:
        ValueError: if a variable with a message is empty.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given = variables.get(found["name"], "")
        if not given and found["sign"] == "?":
            raise ValueError(f"{found['name']}: {found['rest']}")
        return given or (found["rest"] if found["sign"] == "-" else "")

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?::(?P<sign>[-?])(?P<rest>[^}]*))?\}", value, text)


def read_variables(path: Path) -> dict[str, str]:
    """NAME=value a line."""
    lines = (line.partition("=") for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def read_services(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services, anchors and variables resolved."""

    def resolve(node: Any) -> Any:
        match node:
            case str():
                return interpolate(node, variables)
            case list():
                return [resolve(item) for item in node]
            case dict():
                return {key: resolve(item) for key, item in node.items()}
        return node

    services: dict[str, dict[str, Any]] = resolve(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])
    return services


@dataclass(frozen=True)
class Image:
    """What the last stage of one of our Dockerfiles sets."""

    environment: dict[str, str]
    user: str
    entrypoint: list[str]
    command: list[str]
    port: int


def read_image(dockerfile: Path) -> Image:
    """The image that a Dockerfile describes."""
    text = re.sub(r"\\\n", " ", dockerfile.read_text()).rpartition("\nFROM ")[2]
    lines = [line.partition(" ") for line in text.splitlines()]
    said = {name: rest.strip() for name, _, rest in lines if name.isupper()}
    environment = dict(pair.split("=", 1) for pair in said["ENV"].split())
    entrypoint, command = json.loads(said["ENTRYPOINT"]), json.loads(said["CMD"])
    return Image(environment, said["USER"], entrypoint, command, int(said["EXPOSE"]))


class Project:
    """The services of docker-compose.yml, started one by one in the order they depend on each other."""

    def __init__(self, network: Network, variables: Mapping[str, str], volumes: Path, *, profile: str) -> None:
        """Named volumes are folders in `volumes`."""
        self._network, self._volumes = network, volumes
        self.services = {
            name: service
            for name, service in read_services(variables).items()
            if profile in service.get("profiles", [profile])
        }

    @contextmanager
    def up(
        self, *names: str, scale: Mapping[str, int] | None = None, beside: Mapping[str, list[Container]] | None = None
    ) -> Iterator[dict[str, list[Container]]]:
        """Start services, each when those `beside` it and before it are as it wants them; they end with the context."""
        running = dict(beside or {})
        with ExitStack() as stack:
            for name in names:
                conditions = self.services[name].get("depends_on", [])
                for other in conditions:
                    assert other in running, f"{name} depends on {other}"
                    if isinstance(conditions, dict) and conditions[other]["condition"] == "service_healthy":
                        self.wait_until_healthy(running[other])
                number = (scale or {}).get(name, 1)
                running[name] = [stack.enter_context(self._start(name)) for _ in range(number)]
            for name in names:
                self.wait_until_healthy(running[name])
            yield running

    def wait_until_healthy(self, containers: list[Container]) -> None:
        """Ask each by its own health check."""
        for container in containers:
            kind, *test = self.services[container.name]["healthcheck"]["test"]
            command = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
            deadline = time.monotonic() + 90
            while (done := container.execute(command)).returncode:
                assert container.process.poll() is None, container.log.read_text()
                assert time.monotonic() < deadline, f"{container.name}: {done.stderr}\n{container.log.read_text()}"
                time.sleep(0.3)

    @contextmanager
    def _start(self, name: str) -> Iterator[Container]:
        service = self.services[name]
        environment = {key: str(value) for key, value in service.get("environment", {}).items()}
        if "build" in service:
            image = read_image(ROOT / service["build"]["dockerfile"])
            entrypoint, user, environment = image.entrypoint, image.user, image.environment | environment
        else:
            entrypoint, user = _ENTRYPOINTS[service["image"].partition(":")[0]], service["user"]
        number = int(user.partition(":")[0])
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        mounts = [self._mount(text, service["image"]) for text in service.get("volumes", [])]
        with self._network.container(
            name, [*entrypoint, *service["command"]], environment, user=number, mounts=mounts
        ) as container:
            yield container

    def _mount(self, text: str, image: str) -> Mount:
        source, target, *mode = text.split(":")
        if source.startswith((".", "/")):
            return Mount((ROOT / source).resolve(), target, is_read_only=mode == ["ro"])
        folder = self._volumes / source
        folder.mkdir(exist_ok=True)
        owner = OWNERS[image.partition(":")[0]]
        os.chown(folder, owner, owner)
        return Mount(folder, target, is_read_only=False)
