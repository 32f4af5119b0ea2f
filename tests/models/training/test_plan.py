from pathlib import Path

import pytest

from models.training.plan import plan_runs
from models.training.preset import DenoiserPreset


def test_a_folder_called_as_a_data_set_is_learned_from_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("qm9")
    folder.mkdir()
    graphs = "<graph><node id='a'/></graph>" * 12
    (folder / "all.graphml").write_text(f"<graphml>{graphs}</graphml>", encoding="utf-8")

    runs = plan_runs(None, folder, name=None, out=None, resume=False, max_minutes=1.0, overrides=[])

    assert len(runs) == 1, "there is no property"
    model = runs[0][0]
    assert isinstance(model, DenoiserPreset)
    assert (model.dataset, model.features.molecular) == (str(tmp_path / "qm9"), False)
