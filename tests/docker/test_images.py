"""The build stages of our Dockerfiles, run step by step without a container engine, and what they leave behind."""

import fnmatch
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docker.containers import ROOT

# Not every network reaches PyTorch's own index: there the package index of the machine has to have torch.
_INDEX = re.compile(r"--index-url \S+ ")


def build(name: str, folder: Path, **arguments: str) -> Path:
    """Run the first stage of a Dockerfile; returns the environment that the second one copies."""
    dockerfile = ROOT / "docker" / f"{name}.Dockerfile"
    ignored = (ROOT / "docker" / f"{name}.Dockerfile.dockerignore").read_text().split()
    stage = dockerfile.read_text().split("\nFROM ")[1]
    source, prefix = folder / "src", folder / "opt" / "digress"
    source.mkdir()
    environment = {**os.environ, **arguments, "PATH": f"{prefix}/bin:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    for line in re.sub(r"\\\n", " ", stage).splitlines()[1:]:
        instruction, _, rest = line.partition(" ")
        if instruction == "COPY":
            *names, target = rest.split()
            for one in names:
                copy(ROOT / one, source / (Path(one).name if target == "./" else target), ignored)
        elif instruction == "RUN":
            command = _INDEX.sub("", rest).replace("/opt/digress", str(prefix))
            subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=source, env=environment, check=True)
    return prefix


def copy(source: Path, target: Path, ignored: list[str]) -> None:
    """As COPY does, without what the .dockerignore leaves out."""
    assert f"!{source.relative_to(ROOT)}" in ignored, f"{source.name} is not sent to the engine"
    patterns = [pattern.removeprefix("**/") for pattern in ignored if pattern.startswith("**/")]
    if source.is_file():
        shutil.copy(source, target)
        return
    shutil.copytree(
        source, target, ignore=lambda _, names: [n for n in names if any(fnmatch.fnmatch(n, p) for p in patterns)]
    )


def holds(prefix: Path, module: str) -> bool:
    found = subprocess.run(
        [prefix / "bin" / "python", "-I", "-c", f"import {module}"], cwd=prefix, capture_output=True, check=False
    )
    return found.returncode == 0


@pytest.mark.slow
def test_the_api_has_all_it_needs_and_neither_torch_nor_weights(tmp_path: Path) -> None:
    prefix = build("api", tmp_path)

    assert all(
        holds(prefix, module) for module in ("app.main", "app.cli", "app.pictures.rendering", "opentelemetry.sdk.trace")
    )
    assert not any(holds(prefix, module) for module in ("torch", "worker"))
    assert list(prefix.rglob("models/checkpoints/qm9/card.json"))
    assert not list(prefix.rglob("*.safetensors"))
    shown = subprocess.run([prefix / "bin" / "digress", "models"], capture_output=True, text=True, check=True)
    assert "qm9" in shown.stdout


@pytest.mark.slow
def test_a_worker_has_all_it_needs_and_can_draw(tmp_path: Path) -> None:
    prefix = build("worker", tmp_path, DEVICE="cpu")

    assert all(holds(prefix, module) for module in ("worker.__main__", "opentelemetry.sdk.trace"))
    drawn = subprocess.run(
        [prefix / "bin" / "digress", "sample", "qm9", "-n", "2", "--num-steps", "5"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(drawn.stdout.splitlines()) == 2


@pytest.mark.slow
def test_an_unknown_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        build("worker", tmp_path, DEVICE="tpu")
