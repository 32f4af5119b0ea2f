from pathlib import Path

import pytest

from models.training.denoising import DiffusionModule
from models.training.tasks.record import new_record, record_so_far
from tests.conftest import make_card
from tests.models.training.conftest import TINY, load_denoiser_preset


def test_a_record_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    file, start = tmp_path / "mine.smi", tmp_path / "start"
    preset = load_denoiser_preset("comm20", *TINY, f"dataset={file}", f"training.start_from={start}")

    record = new_record(preset, "8 / 1 / 1", 8, notes=["of the data"])

    assert (record.dataset, record.recipe["start_from"]) == ("mine.smi", "start")
    assert str(tmp_path) not in record.model_dump_json()
    assert record.notes[0] == "of the data"
    assert (record.finished, record.gradient_steps, record.num_graphs) == (False, 0, 8)


@pytest.mark.parametrize(("minutes", "finished"), [(0.5, False), (2.0, True)])
def test_a_record_says_how_far_the_training_has_come(
    monkeypatch: pytest.MonkeyPatch, minutes: float, finished: bool
) -> None:
    preset = load_denoiser_preset("comm20", *TINY, "training.max_minutes=2.0")
    module = DiffusionModule(make_card(), preset.training)
    module.on_load_checkpoint({"minutes": minutes})

    record = record_so_far(new_record(preset, "all", 8), module, 120)

    assert record.gradient_steps == 120
    assert record.minutes == pytest.approx(minutes, abs=0.05)
    assert record.finished == finished
