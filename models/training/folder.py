"""Where a training run keeps what it leaves.

NAME/           the checkpoint folder of the averaged weights, written at every validation
preset.json     what is trained, overrides included
state/last.ckpt all that is needed to go on: weights, their average, optimizer, step, minutes; every minute
logs/version_N/ metrics as CSV and for TensorBoard, a folder for each time the run was started or resumed
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from models.card.files import atomic_write
from models.training.preset import PRESET_FILE, Preset


class TrainingFolderError(ValueError):
    """An output folder that holds another run, or none where one should go on."""


class StateFile(TorchCheckpointIO):
    """Lightning's states, written whole. Lightning itself writes by way of /tmp, which may be another file system."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a state."""
        with atomic_write(Path(path)) as partial:
            torch.save(checkpoint, partial)


@dataclass(frozen=True)
class TrainingFolder:
    """The folder of a run whose checkpoint is called `name`."""

    root: Path
    name: str
    checkpoints: Path | None = None
    """Where the checkpoint folder goes; beside the rest if left out."""

    @property
    def state(self) -> Path:
        """The last saved state."""
        return self.root / "state" / "last.ckpt"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint folder of the averaged weights."""
        return (self.checkpoints or self.root) / self.name

    @property
    def saved_step(self) -> int:
        """Gradient steps behind the last saved state; 0 if there is none."""
        if not self.state.exists():
            return 0
        return int(torch.load(self.state, weights_only=True, mmap=True)["global_step"])

    @property
    def num_starts(self) -> int:
        """How often the run was started or resumed before."""
        return len(list(self.root.glob("logs/version_*")))

    def save_preset(self, preset: Preset) -> None:
        """Keep what is trained here, overrides included, so that resuming needs no options."""
        with atomic_write(self.root / PRESET_FILE) as partial:
            partial.write_text(preset.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def require(self, *, run: bool) -> None:
        """Make sure that the folder holds a run to resume, or none to overwrite.

        Raises:
            TrainingFolderError: if it does not.
        """
        if self.state.exists() and not run:
            raise TrainingFolderError(
                f"{self.root} holds a run already; continue it with --resume, or choose another --out"
            )
        if run and not self.state.exists():
            raise TrainingFolderError(f"{self.root} holds no run to resume; leave --resume out to start one")
