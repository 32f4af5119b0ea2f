from pathlib import Path

import pytest

from app.commands.computing import local_models
from app.commands.console import CommandError
from app.settings import SettingsError
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from worker.store import UnknownModel


@pytest.fixture(autouse=True)
def _checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "tiny")
    monkeypatch.setenv("DIGRESS_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("DIGRESS_DEVICE", "auto")


def test_models_are_those_of_the_settings_on_the_device_that_was_asked_for() -> None:
    with local_models("cpu") as models:
        model = models.load("tiny")

    assert models.settings.device == "cpu"
    assert {parameter.device.type for parameter in model.denoiser.parameters()} == {"cpu"}


def test_only_errors_that_are_to_be_reported_become_those_of_the_command() -> None:
    with pytest.raises(CommandError, match="no model 'none'"), local_models("cpu", UnknownModel) as models:
        models.load("none")
    with pytest.raises(UnknownModel), local_models("cpu") as models:
        models.load("none")


def test_a_device_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="DIGRESS_DEVICE"), local_models("tpu"):
        pass
