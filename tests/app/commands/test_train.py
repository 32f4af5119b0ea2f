from pathlib import Path

from tests.forked import run as run_forked
from tests.servers import DIGRESS


def test_the_command_names_what_is_wrong_and_leaves_nothing_behind(tmp_path: Path) -> None:
    answer = run_forked([DIGRESS, "train", "qm9-regressor", "--set", "model=zinc", "--out", str(tmp_path / "run")])

    assert answer.returncode == 1
    assert "zinc" in answer.stderr
    assert "Traceback" not in answer.stderr
