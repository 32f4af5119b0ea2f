"""What every command that computes on this machine starts with: settings, a device, and the models of the checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.commands.configuration import settings_with
from app.commands.console import as_command_errors

if TYPE_CHECKING:
    from app.settings import Settings
    from models.checkpoint import LoadedModel
    from worker.store import ModelStore


@dataclass(frozen=True)
class LocalModels:
    """The models that this process can compute with, and the settings they were found by."""

    settings: "Settings"
    store: "ModelStore"

    def load(self, name: str) -> "LoadedModel":
        """A model with its weights, on the device."""
        return self.store.model(name)


@contextmanager
def local_models(device: str | None, *reported: type[Exception]) -> Iterator[LocalModels]:
    """Prepare this process to compute on a device, or on that of the settings.

    Raises:
        SettingsError: if a setting is invalid, or the device is not available.
        CommandError: instead of the errors that are `reported`.
    """
    from models.compute.threads import prepare_thread
    from worker.store import ModelStore, choose_device

    settings = settings_with(device)
    prepare_thread()
    store = ModelStore(settings.checkpoints, choose_device(settings.device))
    with as_command_errors(*reported):
        yield LocalModels(settings, store)
