"""Checkpoint folders: `card.json` and the weights it describes, in safetensors, verified by hash.

Nothing here unpickles: a file that is not safetensors, or whose hash is not the card's, is refused.
"""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from models.card import CardError, ModelCard, WeightsFile, read_card, write_card
from models.files import written_whole
from models.networks.denoiser import Denoiser

WEIGHTS_FILE = "weights.safetensors"


def save_checkpoint(card: ModelCard, denoiser: Denoiser, folder: Path) -> ModelCard:
    """Write weights and then the card into `folder`, each file whole or not at all; returns the card with its hash."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in denoiser.state_dict().items()}
    content = save(weights)
    with written_whole(folder / WEIGHTS_FILE) as partial:
        partial.write_bytes(content)
    described = card.model_copy(update={"weights": WeightsFile(file=WEIGHTS_FILE, sha256=_sha256(content))})
    write_card(described, folder)
    return described


def load_checkpoint(folder: Path, device: torch.device | str = "cpu") -> tuple[ModelCard, Denoiser]:
    """The card and the network of a checkpoint folder, ready to sample.

    Raises:
        CardError: if the folder has no sound card, or its weights are missing, changed or of another network.
    """
    card = read_card(folder)
    if card.weights is None:
        raise CardError(f"the card of {card.name!r} names no weights")
    path = folder / card.weights.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CardError(f"{path} cannot be read: {error.strerror}") from error
    if (found := _sha256(content)) != card.weights.sha256:
        raise CardError(
            f"{path} is not the file its card describes: its sha256 is {found}, the card says {card.weights.sha256}"
        )
    denoiser = Denoiser(card)
    try:
        denoiser.load_state_dict(load(content))
    except (SafetensorError, RuntimeError) as error:
        raise CardError(f"{path} does not hold the weights of the network its card describes: {error}") from error
    return card, denoiser.to(device).eval().requires_grad_(False)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
