import os
from pathlib import Path

import pytest

from app.commands.configuration import configured_cards, settings_with
from models.card.folder import write_card
from tests.conftest import make_card


def test_a_device_that_is_given_goes_before_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_DEVICE", "cuda:1")

    by_environment, given = settings_with(None), settings_with("cpu")

    assert (by_environment.device, given.device) == ("cuda:1", "cpu")
    assert os.environ["DIGRESS_DEVICE"] == "cpu", "child processes inherit it"


def test_cards_are_those_in_the_folder_of_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_card(make_card(), tmp_path / "tiny")
    monkeypatch.setenv("DIGRESS_CHECKPOINTS", str(tmp_path))

    assert list(configured_cards()) == ["tiny"]
