"""Names that the shell completes, by what the checkpoints' folder holds.

Where it cannot be read there are none: the shell has nobody to tell, and the command itself will.
"""

from pathlib import Path
from typing import get_args

from models.card.config import Sampler
from models.card.folder import checkpoint_names, read_cards


def model_names() -> list[str]:
    """Models."""
    try:
        return checkpoint_names(_checkpoints())
    except ValueError:
        return []


def sampler_names() -> list[str]:
    """Samplers."""
    return list(get_args(Sampler))


def targets() -> list[str]:
    """What begins a --target: properties that models can be steered to, whichever is asked for."""
    try:
        cards = read_cards(_checkpoints()).values()
    except ValueError:
        return []
    return sorted({f"{name}=" for card in cards for name in card.properties})


def _checkpoints() -> Path:
    from app.settings import read_settings

    return read_settings().checkpoints
