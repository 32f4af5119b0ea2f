import hashlib
import pickle
from pathlib import Path

import pytest
import torch

from models.card.card import ModelCard
from models.card.folder import CardError, write_card
from models.checkpoint import WEIGHTS_FILE, load_checkpoint, save_checkpoint
from models.networks.denoiser import Denoiser
from tests.conftest import make_card, make_denoiser, random_graphs, tiny_network


@pytest.fixture
def saved(tmp_path: Path) -> tuple[ModelCard, Denoiser, Path]:
    denoiser = make_denoiser(make_card())
    card = save_checkpoint(make_card(), denoiser, tmp_path / "tiny")
    return card, denoiser, tmp_path / "tiny"


def test_a_checkpoint_predicts_the_same_after_saving_and_loading(saved: tuple[ModelCard, Denoiser, Path]) -> None:
    card, denoiser, folder = saved
    graph, t = random_graphs([9]), torch.tensor([7])

    loaded_card, loaded = load_checkpoint(folder)

    assert loaded_card == card
    with torch.no_grad():  # where gradients are wanted, other forms of the same operations run
        assert torch.equal(loaded(graph, t).edges, denoiser(graph, t).edges)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_changed_weight_file_is_refused(saved: tuple[ModelCard, Denoiser, Path]) -> None:
    weights = saved[2] / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    with pytest.raises(CardError, match="sha256"):
        load_checkpoint(saved[2])


def test_a_pickle_is_refused_even_with_the_right_hash(saved: tuple[ModelCard, Denoiser, Path]) -> None:
    card, _, folder = saved
    assert card.weights is not None
    poison = pickle.dumps(print)
    (folder / "weights.safetensors").write_bytes(poison)
    weights = card.weights.model_copy(update={"sha256": hashlib.sha256(poison).hexdigest()})
    write_card(card.model_copy(update={"weights": weights}), folder)

    with pytest.raises(CardError, match="does not hold the weights"):
        load_checkpoint(folder)


def test_weights_of_another_network_are_refused(saved: tuple[ModelCard, Denoiser, Path]) -> None:
    card, _, folder = saved
    write_card(card.model_copy(update={"network": tiny_network(num_layers=3)}), folder)

    with pytest.raises(CardError, match="does not hold the weights of the network"):
        load_checkpoint(folder)


def test_missing_weights_are_named(saved: tuple[ModelCard, Denoiser, Path], tmp_path: Path) -> None:
    (saved[2] / "weights.safetensors").unlink()
    with pytest.raises(CardError, match="cannot be read"):
        load_checkpoint(saved[2])

    write_card(make_card(), saved[2])
    with pytest.raises(CardError, match="does not name all weights"):
        load_checkpoint(saved[2])


def test_weights_that_are_a_link_out_of_their_folder_are_refused(
    saved: tuple[ModelCard, Denoiser, Path], tmp_path: Path
) -> None:
    _, _, folder = saved
    (folder / WEIGHTS_FILE).rename(tmp_path / "elsewhere")
    (folder / WEIGHTS_FILE).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CardError, match="is a link that leads out of its folder"):
        load_checkpoint(folder)
