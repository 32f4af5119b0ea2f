"""The settings of a command, and the model cards that they name."""

import os
from typing import TYPE_CHECKING

from models.card.card import ModelCard
from models.card.folder import read_cards

if TYPE_CHECKING:
    from app.settings import Settings


def settings_with(device: str | None) -> "Settings":
    """The settings, with another device if one is given; child processes inherit it."""
    from app.settings import read_settings

    if device is not None:
        os.environ["DIGRESS_DEVICE"] = device
    return read_settings()


def configured_cards() -> dict[str, ModelCard]:
    """The cards in the folder of checkpoints, by name."""
    from app.settings import read_settings

    return read_cards(read_settings().checkpoints)
