"""The checkpoints of one folder, loaded onto one device, each when it is first asked for and then kept."""

import threading
from pathlib import Path

import torch

from app.settings import SettingsError
from models.card import checkpoint_names
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
            if name not in self._models:
                if name not in self.names:
                    raise UnknownModel(f"this worker has no model {name!r}")
                model = load_model(self._folder / name, self.device)
                if self._compile_networks:
                    for network in (model.denoiser.network, *(regressor.network for regressor in model.regressors)):
                        network.compile(dynamic=True)
                self._models[name] = model
            return self._models[name]


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
