"""What the images are made of: `make lock`, `make pin-images`, `make sbom`, and the audit in `make check`.

constraints.txt          versions, of every extra and every platform; for environments on all kinds of machines
docker/api.lock          the packages of the API's image, with the hashes of their files
docker/worker.lock       those of the workers' images but torch
docker/cuda.lock         torch for GPUs and what it brings; torch for CPUs comes from PyTorch's own index

Versions and hashes are apart because pip, once it is given a hash, wants one of everything: then neither this repository
itself nor PyTorch's own builds could be installed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

ROOT = Path(__file__).parents[1]
CONSTRAINTS = "constraints.txt"
# Lock file -> the extras of pyproject.toml that its image installs.
LOCKS = {"api": ("tracing",), "worker": ("worker", "tracing")}
_TORCH_AND_ITS_OWN = re.compile(r"^(torch|triton|nvidia-.*|cuda-.*)==")
_HEADS = {
    CONSTRAINTS: "# Every version that this repository is tested with; used as: pip install -c constraints.txt -e '.[worker]'\n"
    "# On a machine without an NVIDIA GPU, see app/commands/README.md for the smaller CPU build of torch.\n",
    "lock": "# The packages of an image, with the hashes of their files; used as: pip install --require-hashes -r\n",
}
_WRITTEN_BY = "# Written by `make lock`.\n"
# Advisories that do not concern us: id -> why.
ACCEPTED: dict[str, str] = {}
# Has advisories, so that an index that tells of none is found out.
_CANARY = "jinja2==2.10\n"
_IMAGE = re.compile(r"(?P<before>^FROM |\bimage: )(?P<name>[\w./-]+:[\w.-]+)(@sha256:[0-9a-f]{64})?", re.MULTILINE)
_IMAGE_FILES = ("docker/*.Dockerfile", "docker-compose.yml", "docker/kubernetes/base/*.yaml")


def lock(*, upgrade: bool = False) -> None:
    """Renew constraints.txt and the lock files: what pyproject.toml asks for, in the versions there are, or the newest."""
    # Not pip: an environment has one already.
    options = ["--all-extras", "--no-emit-package", "pip", *(["--upgrade"] if upgrade else [])]
    versions = _compile(["pyproject.toml", *options], start=CONSTRAINTS)
    (ROOT / CONSTRAINTS).write_text(_HEADS[CONSTRAINTS] + _WRITTEN_BY + versions)
    build_tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for name, extras in LOCKS.items():
        with tempfile.NamedTemporaryFile("w", suffix=".in") as tools:
            tools.write("\n".join(build_tools))
            tools.flush()
            options = [option for extra in extras for option in ("--extra", extra)]
            found = _compile(["pyproject.toml", tools.name, *options, "-c", CONSTRAINTS, "--generate-hashes"])
        cuda, others = split_torch(found)
        _write_lock(name, others)
        if cuda:
            _write_lock("cuda", cuda)


def split_torch(lines: str) -> tuple[str, str]:
    """The entries of torch and of what only its build for GPUs needs, and the others."""
    entries = re.split(r"^(?=\S)", lines, flags=re.MULTILINE)
    cuda = [entry for entry in entries if _TORCH_AND_ITS_OWN.match(entry)]
    return "".join(cuda), "".join(entry for entry in entries if entry not in cuda)


def _write_lock(name: str, entries: str) -> None:
    (ROOT / "docker" / f"{name}.lock").write_text(_HEADS["lock"] + _WRITTEN_BY + entries)


def _compile(arguments: list[str], *, start: str | None = None) -> str:
    """What uv finds for the oldest Python and every platform; it keeps the versions of the file `start`."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "found.txt")
        if start:
            shutil.copy(ROOT / start, output)
        uv = [
            str(Path(sys.executable).parent / "uv"),
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            "3.11",
        ]
        subprocess.run([*uv, "--no-annotate", "--no-header", "-o", str(output), *arguments], cwd=ROOT, check=True)
        return output.read_text()


def sbom(folder: Path) -> None:
    """A bill of materials (CycloneDX) of each lock file."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "docker").glob("*.lock")):
        tool = [
            str(Path(sys.executable).parent / "cyclonedx-py"),
            "requirements",
            str(path),
            "--pyproject",
            "pyproject.toml",
        ]
        output = folder / f"{path.stem}.cdx.json"
        # It warns that it does not know what depends on what, which a lock file does not say.
        quiet = os.environ | {"PYTHONWARNINGS": "ignore::UserWarning"}
        command = [*tool, "--output-reproducible", "--of", "JSON", "-o", str(output)]
        subprocess.run(command, cwd=ROOT, env=quiet, check=True)
        print(f"{output}: {len(json.loads(output.read_text())['components'])} packages")


@dataclass(frozen=True)
class Audit:
    """What one source of advisories says: package -> ids, and why it says nothing, if it does not."""

    advisories: dict[str, list[str]]
    failure: str = ""


def ask_pip_audit(source: str, requirements: Path) -> Audit:
    """What pip-audit finds about pinned packages."""
    tool = [str(Path(sys.executable).parent / "pip-audit"), "--vulnerability-service", source, "--format", "json"]
    ignored = [option for name in ACCEPTED for option in ("--ignore-vuln", name)]
    done = subprocess.run(
        [*tool, "--no-deps", "--disable-pip", "--progress-spinner", "off", "-r", str(requirements), *ignored],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_COLOR": "1"},
    )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return Audit({}, failure=(done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1])
    advisories = {
        f"{one['name']} {one['version']}": [vuln["id"] for vuln in one["vulns"]] for one in found if one.get("vulns")
    }
    return Audit(advisories)


def audit(ask: Callable[[str, Path], Audit] = ask_pip_audit) -> int:
    """Look for known faults of all packages; returns the exit status. Skipped where no source of advisories is reached."""
    reasons = []
    for source in ("pypi", "osv"):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as canary:
            canary.write(_CANARY)
            canary.flush()
            tried = ask(source, Path(canary.name))
        if tried.advisories:
            return _report(source, ask(source, ROOT / CONSTRAINTS))
        reason = tried.failure or "it tells of no advisory, not even of one that is known"
        reasons.append(f"{source}: {shorten(reason, 120, placeholder='…')}")
    print(f"audit skipped, since no advisories can be reached from here ({'; '.join(reasons)})")
    return 0


def _report(source: str, found: Audit) -> int:
    if found.failure:
        print(f"audit failed ({source}): {found.failure}")
        return 1
    for package, ids in found.advisories.items():
        print(f"{package}: {', '.join(ids)}")
    if found.advisories:
        print(
            "take newer versions (`make lock UPGRADE=1`), or say in docker/supply_chain.py why an advisory is accepted"
        )
        return 1
    print(f"audit: no known faults ({source})")
    return 0


def docker_digest(image: str) -> str:
    """The digest that a registry has of an image now."""
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ValueError(f"{image}: {digest!r} is no digest")
    return digest


def pin_images(paths: Iterable[Path], digest_of: Callable[[str], str] = docker_digest) -> None:
    """Write the digest of every image that is not ours behind its tag, or renew it."""
    known: dict[str, str] = {}

    def pinned(found: re.Match[str]) -> str:
        name = found["name"]
        if name.startswith("digress-"):
            return found[0]
        if name not in known:
            known[name] = digest_of(name)
            print(f"{name}@{known[name]}")
        return f"{found['before']}{name}@{known[name]}"

    for path in paths:
        path.write_text(_IMAGE.sub(pinned, path.read_text()))


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    match arguments:
        case ["lock", *upgrade]:
            lock(upgrade=bool(upgrade))
        case ["sbom", folder]:
            sbom(Path(folder))
        case ["pin-images"]:
            pin_images(path for pattern in _IMAGE_FILES for path in sorted(ROOT.glob(pattern)))
        case ["audit"]:
            return audit()
        case _:
            print("supply_chain.py lock [upgrade] | sbom FOLDER | pin-images | audit")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
