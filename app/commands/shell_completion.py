"""Names that the shell completes, from the folder of checkpoints.

If the folder cannot be read there are none: the shell cannot show an error, and the command itself will.
"""

from pathlib import Path
from typing import get_args

from models.card.config import Descriptor, Sampler
from models.card.folder import checkpoint_names, read_cards


def model_names() -> list[str]:
    """The names of the models."""
    try:
        return checkpoint_names(_checkpoints_folder())
    except ValueError:
        return []


def sampler_names() -> list[str]:
    """The names of the samplers."""
    return list(get_args(Sampler))


def target_prefixes() -> list[str]:
    """The beginning of a --target, like `mu=`, for every property of every model."""
    try:
        cards = read_cards(_checkpoints_folder()).values()
    except ValueError:
        return []
    return sorted({f"{name}=" for card in cards for name in card.properties})


def descriptor_prefixes() -> list[str]:
    """The beginning of a --where, like `logp`, for every property that RDKit computes."""
    return list(get_args(Descriptor))


def _checkpoints_folder() -> Path:
    from app.settings import read_settings

    return read_settings().checkpoints
