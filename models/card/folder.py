"""The folder of a checkpoint, and of many: reading and writing cards.

NAME/card.json             the card
NAME/weights.safetensors   the weights that it names, and those of its regressors
NAME/plot.png              a picture of the model's graphs and its measured quality (`digress plot NAME --save`)
"""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

from models.card.card import ModelCard
from models.card.files import atomic_write

CARD_FILE = "card.json"
# Every list of models sends all cards whole.
MAX_CARD_BYTES = 1_000_000

PLOT_FILE = "plot.png"


class CardError(ValueError):
    """A checkpoint folder whose card is missing, unreadable or contradicts itself.

    `public` says it to callers of the service, who should not learn where its files are.
    """

    def __init__(self, message: str, *, public: str = "the checkpoint cannot be used; the log says why") -> None:
        super().__init__(message)
        self.public = public

    @classmethod
    def about(cls, path: Path, problem: str) -> "CardError":
        """About a file or folder of a checkpoint."""
        return cls(f"{path} {problem}", public=f"{path.parent.name}/{path.name} {problem}")


def read_inside(folder: Path, name: str, *, most_bytes: int | None = None) -> bytes:
    """What a file of a checkpoint's folder holds. A link out of it would show any file of this machine as the model's.

    Raises:
        CardError: if it is a link that leads out of the folder, or no file, or has more than `most_bytes`.
        OSError: if it cannot be read.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CardError.about(path, "is a link that leads out of its folder; put the file itself there")
    if path.exists() and not path.is_file():
        raise CardError.about(path, "is no regular file")
    if most_bytes is not None and path.stat().st_size > most_bytes:
        raise CardError.about(path, f"has over {most_bytes:,} bytes, more than it may have")
    return path.read_bytes()


def read_card(folder: Path) -> ModelCard:
    """The card of a checkpoint folder.

    Raises:
        CardError: if there is none, it is not a card, or its name differs from its folder's.
    """
    path = folder / CARD_FILE
    try:
        content = read_inside(folder, CARD_FILE, most_bytes=MAX_CARD_BYTES)
    except OSError as error:
        raise CardError.about(path, f"cannot be read: {error.strerror}") from error
    try:
        card = ModelCard.model_validate_json(content)
    except ValueError as error:
        raise CardError.about(path, f"is not a model card: {error}") from error
    if card.name != folder.name:
        raise CardError.about(
            path, f"describes {card.name!r}, but its folder is called {folder.name!r}; rename one of them"
        )
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write `card` into its checkpoint folder; the file appears whole or not at all."""
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    with atomic_write(folder / CARD_FILE) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def change_card(folder: Path, change: Callable[[ModelCard], ModelCard]) -> None:
    """Read the card of a checkpoint folder, and write what `change` makes of it; changes wait for each other.

    Raises:
        CardError: if there is no card to change.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        write_card(change(read_card(folder)), folder)
    finally:
        os.close(descriptor)


def shipped_checkpoints() -> Path:
    """The folder of the checkpoints that come with this package."""
    return Path(__file__).parents[1] / "checkpoints"


def checkpoint_names(root: Path) -> list[str]:
    """Names of the checkpoint folders below `root`; folders without a card are passed over.

    Raises:
        CardError: if `root` is not a folder, or there is none below it.
    """
    if not root.is_dir():
        raise CardError(f"{root} is not a folder; it should hold one folder per checkpoint")
    names = sorted(folder.name for folder in root.iterdir() if (folder / CARD_FILE).is_file())
    if not names:
        hint = f"give its parent, {root.parent}" if (root / CARD_FILE).is_file() else "is a training only just begun?"
        raise CardError(f"{root} holds no checkpoint folder; {hint}")
    return names


def read_cards(root: Path) -> dict[str, ModelCard]:
    """All cards below `root`, by name.

    Raises:
        CardError: if `root` holds no checkpoint folder, or a card in it is broken.
    """
    return {name: read_card(root / name) for name in checkpoint_names(root)}
