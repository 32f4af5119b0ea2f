"""The engine: loaded models, and the drawing of a job's graphs.

A model is loaded once per process, before the first job or, if it came later, when a job asks for it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from app.schemas import AnyCompletedRequest, CompletedConditionalRequest, SizeRange
from app.settings import SettingsError
from models.card import ModelCard, checkpoint_names
from models.checkpoint import LoadedModel, load_model
from models.conditional import Goal
from models.generation import GeneratedBatch, GenerationPlan, Progress, generate


class UnknownModel(LookupError):
    """A job for a model that this worker does not have."""


class Engine:
    """Draws graphs with the checkpoints of one folder, on one device."""

    def __init__(self, checkpoints: Path, device: torch.device) -> None:
        self._folder = checkpoints
        self._device = device
        self._models: dict[str, LoadedModel] = {}

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
        if name not in self._models:
            if name not in self.names:
                raise UnknownModel(f"this worker has no model {name!r}")
            self._models[name] = load_model(self._folder / name, self._device)
        return self._models[name]

    def generate(
        self, request: AnyCompletedRequest, on_progress: Callable[[Progress], None]
    ) -> Iterator[GeneratedBatch]:
        """The graphs of a request, batch by batch; `on_progress` may raise to stop."""
        model = self.model(request.model)
        chosen = plan(request, model.card)
        return generate(model.card, model.denoiser, chosen, on_progress, regressors=model.regressors)


def plan(request: AnyCompletedRequest, card: ModelCard) -> GenerationPlan:
    """What a request asks of the sampler."""
    match request.num_nodes:
        case None:
            smallest, largest = 1, card.max_nodes
        case SizeRange(min=smallest, max=largest):
            pass
        case int(size):
            smallest = largest = size
    return GenerationPlan(
        num_graphs=request.num_graphs,
        min_nodes=smallest,
        max_nodes=largest,
        seed=request.seed,
        sampler=request.sampler,
        grid=card.sampling.grid,
        num_steps=request.num_steps,
        goal=_goal(request) if isinstance(request, CompletedConditionalRequest) else None,
    )


def _goal(request: CompletedConditionalRequest) -> Goal:
    return Goal(request.targets, request.estimator, request.guidance_scale, request.candidates)


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
