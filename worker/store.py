"""The checkpoints of one folder, on one device: each is loaded when it is first needed, and kept."""

import threading
from pathlib import Path

import torch

from app.settings import SettingsError
from models.card.folder import CardError, checkpoint_names, read_card
from models.checkpoint import LoadedModel, load_model


class UnknownModel(LookupError):
    """This worker does not have the model."""


class ModelStore:
    """Loaded models by name."""

    def __init__(self, checkpoints: Path, device: torch.device, *, compile_networks: bool = False) -> None:
        """`compile_networks` uses torch.compile, which compiles a network when it is first called."""
        self.device, self._compile_networks = device, compile_networks
        self._folder = checkpoints
        self._models: dict[str, LoadedModel] = {}
        self._unloaded: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The models that can be loaded."""
        return checkpoint_names(self._folder)

    def model(self, name: str) -> LoadedModel:
        """A model; loads it first if need be.

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

    def refresh(self, unloaded: frozenset[str]) -> list[str]:
        """Let go of these models, and of those whose checkpoint has changed; returns the names of those that were loaded."""
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
            return False  # half written, or gone: the loaded model still works
        return card != model.card


def choose_device(name: str) -> torch.device:
    """The device that a setting names; "auto" is the GPU if there is one.

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
