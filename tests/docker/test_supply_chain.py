"""What the images are made of: the lock files, bills of materials, the audit, and digests of base images."""

import importlib.util
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docker.containers import ROOT

LOCKS = {path.stem: path.read_text() for path in (ROOT / "docker").glob("*.lock")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("supply_chain", ROOT / "docker" / "supply_chain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


supply_chain: Any = load()


def versions(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[\w.-]+", one) for one in requirements)
    return {name[0].lower().replace("_", "-") for name in found if name}


def test_every_locked_package_has_hashes_and_the_version_that_is_tested() -> None:
    tested = versions((ROOT / "constraints.txt").read_text())

    assert set(LOCKS) == {"api", "worker", "cuda"}
    for text in LOCKS.values():
        entries = re.split(r"^(?=\w)", text.partition("make lock`.\n")[2], flags=re.MULTILINE)[1:]
        assert entries
        assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
        assert versions(text).items() <= tested.items()


def test_the_locks_hold_what_the_images_need() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    needed = names(project["dependencies"] + extras["tracing"] + PROJECT["build-system"]["requires"])

    assert needed <= set(versions(LOCKS["api"]))
    assert needed | names(extras["worker"]) <= set(versions(LOCKS["worker"])) | {"torch"}
    assert not [name for name in versions(LOCKS["worker"]) if re.match("torch$|nvidia-|cuda-|triton", name)]
    assert "torch" in versions(LOCKS["cuda"])


@pytest.mark.parametrize("name", ["api", "worker"])
def test_an_image_installs_nothing_without_a_hash(name: str) -> None:
    text = re.sub(r"\\\n", " ", (ROOT / "docker" / f"{name}.Dockerfile").read_text())
    commands = re.findall(r"pip install [^&;]*", text)

    assert len(commands) >= 2
    # The others are this repository itself, built by what is locked, and torch for CPUs from PyTorch's own index.
    exempt = ("--no-deps --no-build-isolation .", "--no-deps --index-url https://download.pytorch.org/whl/cpu")
    assert [one for one in commands if "--require-hashes" not in one and not any(part in one for part in exempt)] == []


def test_torch_and_what_only_it_needs_on_gpus_are_apart() -> None:
    lines = (
        "numpy==2 \\\n    --hash=a\nnvidia-nccl==1 ; x \\\n    --hash=b\ntorch==3 \\\n    --hash=c\ntorchvision==4\n"
    )

    assert supply_chain.split_torch(lines) == (
        "nvidia-nccl==1 ; x \\\n    --hash=b\ntorch==3 \\\n    --hash=c\n",
        "numpy==2 \\\n    --hash=a\ntorchvision==4\n",
    )


def test_a_bill_of_materials_names_every_package_with_its_hashes(tmp_path: Path) -> None:
    supply_chain.sbom(tmp_path)

    for name, text in LOCKS.items():
        bill = json.loads((tmp_path / f"{name}.cdx.json").read_text())
        assert bill["bomFormat"] == "CycloneDX"
        assert {one["name"]: one["version"] for one in bill["components"]} == versions(text)
        assert "SHA-256" in str(bill["components"][0])


Ask = Callable[[str, Path], Any]


def answering(known: dict[str, Any], ours: Any) -> Ask:
    """Sources of advisories: what each says of a package that has one, and of ours."""
    return lambda source, path: known[source] if path.name != "constraints.txt" else ours


FOUND, NOTHING = {"jinja2 2.10": ["PYSEC-1"]}, dict[str, list[str]]()


@pytest.mark.parametrize(
    ("ours", "status", "words"),
    [
        (NOTHING, 0, "audit: no known faults (osv)"),
        ({"idna 1": ["PYSEC-2", "PYSEC-3"]}, 1, "idna 1: PYSEC-2, PYSEC-3"),
    ],
)
def test_known_faults_of_packages_fail_the_check(
    capsys: pytest.CaptureFixture[str], ours: dict[str, list[str]], status: int, words: str
) -> None:
    sources = {"pypi": supply_chain.Audit({}), "osv": supply_chain.Audit(FOUND)}

    assert supply_chain.audit(answering(sources, supply_chain.Audit(ours))) == status
    assert words in capsys.readouterr().out


def test_an_audit_that_breaks_off_fails_the_check() -> None:
    sources = {"pypi": supply_chain.Audit(FOUND)}

    assert supply_chain.audit(answering(sources, supply_chain.Audit({}, failure="the connection was lost"))) == 1


def test_without_any_advisories_the_audit_is_skipped_with_its_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """An index that tells of none, not even of one that is known, must not look like a good answer."""
    sources = {"pypi": supply_chain.Audit({}), "osv": supply_chain.Audit({}, failure="no route to api.osv.dev")}

    assert supply_chain.audit(answering(sources, None)) == 0
    said = capsys.readouterr().out
    assert "audit skipped" in said
    assert "pypi: it tells of no advisory, not even of one that is known" in said
    assert "osv: no route to api.osv.dev" in said


def test_digests_are_written_behind_the_tags_of_images_that_are_not_ours(tmp_path: Path) -> None:
    dockerfile, compose = tmp_path / "a.Dockerfile", tmp_path / "compose.yml"
    dockerfile.write_text(
        "FROM python:3.11-slim AS build\nFROM python:3.11-slim@sha256:" + "0" * 64 + "\nCOPY --from=build a b\n"
    )
    compose.write_text("  image: valkey/valkey:9.1\n  image: digress-worker:cpu\n  image: digress-api\n")
    digests = {"python:3.11-slim": "sha256:" + "1" * 64, "valkey/valkey:9.1": "sha256:" + "2" * 64}

    for _ in range(2):
        supply_chain.pin_images([dockerfile, compose], digests.__getitem__)

    python, valkey = (f"{name}@{digest}" for name, digest in digests.items())
    assert dockerfile.read_text() == f"FROM {python} AS build\nFROM {python}\nCOPY --from=build a b\n"
    assert compose.read_text() == f"  image: {valkey}\n  image: digress-worker:cpu\n  image: digress-api\n"
