import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.forked import digress


def test_evaluate_guidance_compares_guided_and_unguided_graphs(tmp_path: Path, qm9_folder: Path) -> None:
    shutil.copytree(qm9_folder, tmp_path / "qm9")
    common = ["evaluate-guidance", "qm9", "--measure", "rdkit", "-n", "24", "--num-steps", "20", "--json", "--save"]

    def measure(name: str) -> Any:
        return json.loads(digress(*common, "--property", name, DIGRESS_CHECKPOINTS=str(tmp_path)).stdout)

    with ThreadPoolExecutor() as pool:
        measured, other = pool.map(measure, ("logp", "qed"))

    assert measured["mae"]["logp"] < 0.7 * measured["unguided_mae"]["logp"]
    assert measured["ratio"] == pytest.approx(measured["mae"]["logp"] / measured["unguided_mae"]["logp"], abs=1e-3)
    assert measured["valid"] > 0.8
    assert "--guidance-scale 20" in measured["command"]
    # Neither run took the other's measurement out of the card.
    saved = json.loads((tmp_path / "qm9" / "card.json").read_text())["guidance_metrics"]
    assert measured in saved
    assert other in saved


def test_a_model_without_regressors_cannot_be_measured_and_says_so(tmp_path: Path, qm9_folder: Path) -> None:
    plain = tmp_path / "qm9"
    shutil.copytree(qm9_folder, plain)
    card = json.loads((plain / "card.json").read_text())
    (plain / "card.json").write_text(json.dumps(card | {"regressors": []}))

    for command in (["evaluate-guidance"], ["plot-guidance", "--target", "1"]):
        done = digress(*command, "qm9", "--property", "logp", "--measure", "rdkit", DIGRESS_CHECKPOINTS=str(tmp_path))

        assert done.returncode == 1
        assert "qm9 has no regressor" in done.stderr
        assert "Traceback" not in done.stderr
