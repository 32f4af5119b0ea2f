"""What README.md and app/README.md tell people to type, typed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

from tests.conftest import ShippedService

ROOT = Path(__file__).parents[2]
TEXT = "\n".join((ROOT / path).read_text() for path in ("README.md", "app/README.md"))
SESSIONS = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "curl -s" in block]
(SCRIPT,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def address(shipped_service: ShippedService) -> str:
    return str(shipped_service.client.base_url).removeprefix("http://").rstrip("/")


def type_in(command: list[str], text: str, address: str, folder: Path) -> str:
    here = re.sub(r"(localhost|127\.0\.0\.1):8000", address, text)
    done = subprocess.run([*command, here], cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("session", SESSIONS)
def test_sessions_with_curl_end_as_they_should(session: str, address: str, tmp_path: Path) -> None:
    said = type_in(["bash", "-euo", "pipefail", "-c"], session, address, tmp_path)

    assert '"status":"succeeded"' in said
    assert "about:blank" not in said  # no problem document
    for path in tmp_path.glob("*.jsonl"):
        assert [len(json.loads(line)["nodes"]) > 0 for line in path.read_text().splitlines()] == [True] * 20
    for path in tmp_path.glob("*.graphml"):
        assert len(networkx.read_graphml(path)) > 0


def test_the_script_prints_molecules(address: str, tmp_path: Path) -> None:
    said = type_in([sys.executable, "-c"], SCRIPT, address, tmp_path)

    assert len(said.splitlines()) == 4


def test_the_script_for_networkx_and_rdkit_does_what_it_says(address: str, tmp_path: Path) -> None:
    script = ROOT / "models" / "tutorials" / "networkx_and_rdkit.py"

    done = subprocess.run(
        [sys.executable, str(script), f"http://{address}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    lines = done.stdout.splitlines()
    assert [("(predicted)" in line, "edges within" in line) for line in lines] == [(True, False)] * 8 + [
        (False, True)
    ] * 4
    assert (tmp_path / "molecules.svg").read_text().count("<path class='bond") > 8
    assert len(list(tmp_path.glob("communities-*.graphml"))) == 4


def test_there_are_sessions() -> None:
    assert len(SESSIONS) == 10
