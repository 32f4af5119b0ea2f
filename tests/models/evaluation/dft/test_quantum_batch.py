"""The many-molecule run: killed, gone on with, and each molecule computed once."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.evaluation.dft import quantum_batch
from models.evaluation.dft.quantum_batch import compute_all
from tests.servers import children_of, is_running, wait_until

SCRIPT = """
import sys
from models.evaluation.dft.quantum_batch import compute_all
if __name__ == "__main__":
    compute_all(sys.argv[1:], jobs=1)
"""
MOLECULES = ["C", "N", "O", "C12=C3C4=C1C1=C2C3=C41", "C#N"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def lines(cache: Path) -> list[str]:
    return [line for file in cache.rglob("dft-*.jsonl") for line in file.read_text().splitlines() if line]


@pytest.mark.thorough
def test_a_killed_run_keeps_what_it_knew_and_the_next_goes_on_from_there(cache: Path) -> None:
    script = cache / "script.py"
    script.write_text(SCRIPT)
    run = subprocess.Popen([sys.executable, script, *MOLECULES], start_new_session=True)
    deadline = time.monotonic() + 120
    while not lines(cache) and time.monotonic() < deadline:
        time.sleep(0.02)
    children = children_of(run.pid)
    run.kill()
    run.wait()
    wait_until(lambda: not any(map(is_running, children)), seconds=60)
    assert len(children) == 2  # one computes, one keeps the books of multiprocessing
    known = lines(cache)
    (file,) = cache.rglob("dft-*.jsonl")
    with file.open("a") as partial:
        partial.write('\n{"smiles": "C#N", "val')  # as a kill in the middle of a line leaves it

    heard: list[tuple[int, int]] = []
    found = compute_all([*MOLECULES, "C"], on_progress=lambda done, total: heard.append((done, total)))

    assert 1 <= len(known) < len(MOLECULES)
    assert heard[0] == (len(known), len(MOLECULES))
    assert heard[-1] == (len(MOLECULES), len(MOLECULES))
    assert found["C12=C3C4=C1C1=C2C3=C41"] is None
    methane, ammonia = found["C"], found["N"]
    assert methane is not None
    assert ammonia is not None
    assert methane["mu"] == pytest.approx(0.0, abs=0.01)
    assert ammonia["mu"] == pytest.approx(1.6256, abs=0.15)  # QM9's molecule 2
    entries = [json.loads(line) for line in lines(cache) if line.endswith("}")]
    assert sorted(entry["smiles"] for entry in entries) == sorted(MOLECULES)


@pytest.mark.thorough
def test_what_is_known_is_not_computed_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compute_all(["N", "O"])

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a pool was started")

    monkeypatch.setattr(quantum_batch, "ProcessPoolExecutor", refuse)
    assert compute_all(["O", "N"]) == first
