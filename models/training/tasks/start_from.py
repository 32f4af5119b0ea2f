"""Beginning with the weights of another checkpoint instead of random ones."""

from pathlib import Path

import torch
from torch import Tensor

from models.card.card import ModelCard
from models.card.folder import read_card
from models.checkpoint import load_checkpoint
from models.networks.denoiser import Denoiser
from models.training.preset import DenoiserPreset, Preset, PresetError


def with_note_of_start(preset: Preset) -> Preset:
    """The preset with a note of the checkpoint that it starts from, if it does.

    Raises:
        CardError: if that folder has no sound card.
    """
    if not isinstance(preset, DenoiserPreset) or preset.training.start_from is None:
        return preset
    source = read_card(Path(preset.training.start_from))
    trained = source.training
    note = f"Began with the weights of {source.name} {source.version} (sha256 {source.weights.sha256 if source.weights else 'unknown'})"
    note += f", trained for {trained.minutes:g} minutes, {trained.gradient_steps} steps." if trained else "."
    return preset.model_copy(update={"notes": [*preset.notes, note]})


def weights_for(fresh: Denoiser, card: ModelCard, folder: Path) -> dict[str, Tensor]:
    """The weights in `folder`, if they mean the same in the network of `card`; what they lack adds nothing at first.

    Raises:
        CardError: if the folder has no sound checkpoint.
        PresetError: if its network is another one, or for other graphs.
    """
    other, denoiser = load_checkpoint(folder)
    # The time it is asked about at the least does not change what a weight means.
    diffusion = other.diffusion.model_copy(update={"min_timestep": card.diffusion.min_timestep})
    network, missing = other.network, dict[str, Tensor]()
    if not network.triangle_width and card.network.triangle_width:
        network = network.model_copy(update={"triangle_width": card.network.triangle_width})
        missing = {
            name: torch.zeros_like(weight) if name.endswith("triangles_to_edge.weight") else weight
            for name, weight in fresh.state_dict().items()
            if ".triangles." in name
        }
    if not network.reads_given and card.network.reads_given:
        network = network.model_copy(update={"reads_given": True})
        missing |= {name: weight for name, weight in fresh.state_dict().items() if name.startswith("network.given_")}
    other = other.model_copy(update={"diffusion": diffusion, "network": network})
    for name in ("network", "features", "node_types", "edge_types", "max_nodes", "diffusion"):
        if getattr(other, name) != getattr(card, name):
            raise PresetError(
                f"training.start_from: {folder} has other {name.replace('_', ' ')}: {getattr(other, name)!r}, not {getattr(card, name)!r}"
            )
    return missing | denoiser.state_dict()
