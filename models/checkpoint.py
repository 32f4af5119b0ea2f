"""Checkpoint folders: `card.json` and the weights it describes, in safetensors, verified by hash.

Nothing here unpickles: a file that is not safetensors, or whose hash is not the card's, is refused.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from models.card.card import ModelCard, RegressorCard, WeightsFile
from models.card.config import RegressorRole
from models.card.files import atomic_write
from models.card.folder import CARD_FILE, CardError, read_card, read_inside, write_card
from models.compute.precision import round_weights
from models.networks.denoiser import Denoiser
from models.networks.regressor import Regressor

WEIGHTS_FILE = "weights.safetensors"


def save_checkpoint(card: ModelCard, denoiser: Denoiser, folder: Path) -> ModelCard:
    """Write weights and then the card into `folder`, each file whole or not at all; returns the card with its hash."""
    described = card.model_copy(update={"weights": _save_weights(denoiser, folder / WEIGHTS_FILE)})
    write_card(described, folder)
    return described


def save_regressor(card: ModelCard, described: RegressorCard, regressor: Regressor, folder: Path) -> ModelCard:
    """Write a regressor's weights and then the card, with the regressor in it, into `folder`; returns that card."""
    weights = _save_weights(regressor, folder / f"regressor-{described.name}.safetensors")
    card = card.with_regressor(described.model_copy(update={"weights": weights}))
    write_card(card, folder)
    return card


def load_checkpoint(folder: Path, device: torch.device | str = "cpu") -> tuple[ModelCard, Denoiser]:
    """The card and the network of a checkpoint folder, ready to sample.

    Raises:
        CardError: if the folder has no sound card, or its weights are missing, changed or of another network.
    """
    card = read_card(folder)
    return card, _load_weights(Denoiser(card), card.weights, folder, device)


def load_regressors(
    card: ModelCard, folder: Path, role: RegressorRole = "guide", device: torch.device | str = "cpu"
) -> list[Regressor]:
    """The regressors that have this role in the card of `folder`, in the card's order.

    Raises:
        CardError: if weights are missing, changed or of another network.
    """
    return [
        _load_weights(Regressor(card, described), described.weights, folder, device)
        for described in card.regressors
        if described.role == role
    ]


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint, ready to sample under `models.compute.precision.autocast`: its guides are in the card's order."""

    card: ModelCard
    denoiser: Denoiser
    regressors: list[Regressor]


def load_model(folder: Path, device: torch.device | str = "cpu") -> LoadedModel:
    """All that sampling needs of a checkpoint folder.

    Raises:
        CardError: if the folder has no sound card, or weights are missing, changed or of another network.
    """
    card, denoiser = load_checkpoint(folder, device)
    regressors = load_regressors(card, folder, "guide", device)
    under_autocast = [denoiser.network, denoiser.node_head, denoiser.edge_head, *(one.network for one in regressors)]
    for network in under_autocast:
        round_weights(network, torch.device(device))
    return LoadedModel(card, denoiser, regressors)


_Network = TypeVar("_Network", bound=nn.Module)


def _load_weights(
    network: _Network, described: WeightsFile | None, folder: Path, device: torch.device | str
) -> _Network:
    if described is None:
        raise CardError.about(folder / CARD_FILE, "does not name all weights")
    path = folder / described.file
    try:
        content = read_inside(folder, described.file)
    except OSError as error:
        raise CardError.about(path, f"cannot be read: {error.strerror}") from error
    if (found := _sha256(content)) != described.sha256:
        raise CardError.about(
            path, f"is not the file its card describes: its sha256 is {found}, the card says {described.sha256}"
        )
    try:
        network.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        raise CardError.about(path, f"does not hold the weights of the network its card describes: {error}") from error
    return network.to(device).eval().requires_grad_(False)


def _save_weights(network: nn.Module, path: Path) -> WeightsFile:
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()})
    with atomic_write(path) as partial:
        partial.write_bytes(content)
    return WeightsFile(file=path.name, sha256=_sha256(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
