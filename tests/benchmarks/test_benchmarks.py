"""That the benchmarks run; what they find is for `make bench`."""

import json
import sys
from pathlib import Path

from tests.forked import run


def test_a_part_is_measured_and_written(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"

    done = run([sys.executable, "-m", "tests.benchmarks", "f", "--out", str(out)])

    assert done.returncode == 0, done.stderr
    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert 0 < row["figure"] < row["base"]
    assert row["ratio"] == row["figure"] / row["base"]


def test_a_part_that_there_is_not_is_named() -> None:
    done = run([sys.executable, "-m", "tests.benchmarks", "z"])

    assert done.returncode == 2
    assert "no part z" in done.stderr
