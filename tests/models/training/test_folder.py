from pathlib import Path

import pytest
import torch

from models.training.folder import StateFile, TrainingFolder, TrainingFolderError
from models.training.preset import saved_preset
from tests.models.training.conftest import TINY, load_denoiser_preset


def test_a_folder_without_a_run_is_one_to_start_in(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, "mine")

    folder.require(run=False)

    assert (folder.saved_step, folder.num_starts) == (0, 0)
    with pytest.raises(TrainingFolderError, match="leave --resume out to start one"):
        folder.require(run=True)


def test_a_folder_with_a_run_is_one_to_go_on_in(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, "mine")
    StateFile().save_checkpoint({"global_step": 120, "weights": torch.zeros(3)}, folder.state)
    (tmp_path / "logs" / "version_0").mkdir(parents=True)

    folder.require(run=True)

    assert (folder.saved_step, folder.num_starts) == (120, 1)
    assert list(folder.state.parent.iterdir()) == [folder.state]
    with pytest.raises(TrainingFolderError, match="continue it with --resume, or choose another --out"):
        folder.require(run=False)


def test_a_checkpoint_may_stand_elsewhere(tmp_path: Path) -> None:
    assert TrainingFolder(tmp_path, "mine").checkpoint == tmp_path / "mine"
    assert TrainingFolder(tmp_path, "mine", tmp_path / "served").checkpoint == tmp_path / "served" / "mine"


def test_a_preset_is_kept_with_its_overrides(tmp_path: Path) -> None:
    preset = load_denoiser_preset("comm20", *TINY)

    TrainingFolder(tmp_path, "comm20").save_preset(preset)

    assert saved_preset(tmp_path, []) == preset
