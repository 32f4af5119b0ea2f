"""The checkpoints of one folder, loaded onto one device, each when it is first asked for and then kept."""

import threading
from pathlib import Path

import torch

from app.settings import SettingsError
from models.card.folder import CardError, checkpoint_names, read_card
from models.checkpoint import LoadedModel, load_model


class UnknownModel(LookupError):
    """A job for a model that this worker does not have."""


class ModelStore:
    """Loaded models by name."""

    def __init__(self, checkpoints: Path, device: torch.device, *, compile_networks: bool = False) -> None:
        """With `compile_networks` by torch.compile, which does its work when a network is first called."""
        self.device, self._compile_networks = device, compile_networks
        self._folder = checkpoints
        self._models: dict[str, LoadedModel] = {}
        self._unloaded: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """Models there are to load."""
        return checkpoint_names(self._folder)

    def model(self, name: str) -> LoadedModel:
        """A model, loaded if it was not yet.

        Raises:
            UnknownModel: if there is no such checkpoint.
            CardError: if the checkpoint is broken.
        """
        with self._lock:
            if name in self._unloaded:
                raise UnknownModel(f"the model {name!r} has been unloaded")
            if name not in self._models:
                if name not in self.names:
                    raise UnknownModel(f"this worker has no model {name!r}")
                model = load_model(self._folder / name, self.device)
                if self._compile_networks:
                    for network in (model.denoiser.network, *(regressor.network for regressor in model.regressors)):
                        network.compile(dynamic=True)
                self._models[name] = model
            return self._models[name]

    def follow(self, unloaded: frozenset[str]) -> list[str]:
        """Have none of these models any more, nor any whose checkpoint has changed; the names of those that were let go."""
        with self._lock:
            self._unloaded = unloaded
            gone = [name for name, model in self._models.items() if name in unloaded or self._has_changed(name, model)]
            for name in gone:
                del self._models[name]
        return gone

    def _has_changed(self, name: str, model: LoadedModel) -> bool:
        try:
            card = read_card(self._folder / name)
        except CardError:
            return False  # half written, or gone: what is here still draws
        return card != model.card


def choose_device(name: str) -> torch.device:
    """The device of a setting; "auto" is the GPU if there is one.

    Raises:
        SettingsError: if this machine has no such device.
    """
    num_gpus = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if num_gpus else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= num_gpus:
        raise SettingsError(
            f"DIGRESS_DEVICE is {name!r}, but torch {torch.__version__} sees {num_gpus} GPUs here; use cpu or auto"
        )
    return device
