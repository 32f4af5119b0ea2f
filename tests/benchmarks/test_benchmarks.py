"""That the benchmarks run; what they find is for `make bench`."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_part_is_measured_and_written(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"

    subprocess.run([sys.executable, "-m", "tests.benchmarks", "f", "--out", str(out)], check=True, capture_output=True)

    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert 0 < row["figure"] < row["base"]
    assert row["ratio"] == row["figure"] / row["base"]


def test_a_part_that_there_is_not_is_named() -> None:
    told = subprocess.run([sys.executable, "-m", "tests.benchmarks", "z"], capture_output=True, text=True)

    assert told.returncode == 2
    assert "no part z" in told.stderr
