from pathlib import Path

import pytest
import torch

from app.settings import SettingsError
from models.card.folder import write_card
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from worker.store import ModelStore, UnknownModel, choose_device


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "tiny")
    return ModelStore(tmp_path, torch.device("cpu"))


def test_a_model_is_loaded_once(store: ModelStore) -> None:
    assert store.names == ["tiny"]
    assert store.model("tiny") is store.model("tiny")


def test_a_model_that_is_unloaded_is_not_to_be_had_until_it_is_loaded(store: ModelStore) -> None:
    store.model("tiny")

    gone = store.refresh(frozenset({"tiny"}))

    assert gone == ["tiny"]
    with pytest.raises(UnknownModel, match="has been unloaded"):
        store.model("tiny")
    assert store.refresh(frozenset()) == []
    assert store.model("tiny").card.name == "tiny"


def test_only_a_checkpoint_that_has_changed_is_read_again(store: ModelStore, tmp_path: Path) -> None:
    before = store.model("tiny")

    unchanged = store.refresh(frozenset())
    write_card(before.card.model_copy(update={"description": "Another."}), tmp_path / "tiny")
    changed = store.refresh(frozenset())

    assert (unchanged, changed) == ([], ["tiny"])
    assert store.model("tiny").card.description == "Another."


def test_a_card_that_is_half_written_leaves_the_loaded_model(store: ModelStore, tmp_path: Path) -> None:
    before = store.model("tiny")
    (tmp_path / "tiny" / "card.json").write_text('{"name": "ti')

    assert store.refresh(frozenset()) == []
    assert store.model("tiny") is before


@pytest.mark.parametrize(
    ("name", "num_gpus", "device"),
    [("auto", 0, "cpu"), ("auto", 1, "cuda"), ("cpu", 1, "cpu"), ("cuda:1", 2, "cuda:1")],
)
def test_the_device_is_the_gpu_if_there_is_one_and_no_other_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, num_gpus: int, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)

    assert choose_device(name) == torch.device(device)


@pytest.mark.parametrize(("name", "num_gpus"), [("cuda", 0), ("cuda:1", 1)])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, num_gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)

    with pytest.raises(SettingsError, match=f"sees {num_gpus} GPUs here"):
        choose_device(name)
