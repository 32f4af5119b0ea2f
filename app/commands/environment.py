"""What the environment tells a command: the settings, and the cards of the checkpoints."""

import os
from typing import TYPE_CHECKING

from models.card.card import ModelCard
from models.card.folder import read_cards

if TYPE_CHECKING:
    from app.settings import Settings


def settings_on(device: str | None) -> "Settings":
    """The settings; those of the processes that this one starts have the same device."""
    from app.settings import read_settings

    if device is not None:
        os.environ["DIGRESS_DEVICE"] = device
    return read_settings()


def cards() -> dict[str, ModelCard]:
    """The cards of the checkpoints, by name."""
    from app.settings import read_settings

    return read_cards(read_settings().checkpoints)
