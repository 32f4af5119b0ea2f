"""Training one more regressor for a model there is: the model's folder again, with one more file and a longer card."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.card.card import Property, RegressorCard
from models.card.files import atomic_write
from models.checkpoint import load_checkpoint, save_checkpoint, save_regressor
from models.data.batches import LabelledDataset
from models.data.catalogue import LabelledData, load_labelled
from models.data.named import PropertySource
from models.training.module import TrainingModule
from models.training.preset import PresetError, RegressorPreset
from models.training.regression import NOISE_LEVELS, RegressionModule, error_name, regressor_of
from models.training.tasks.record import new_record, record_so_far
from models.training.tasks.task import Task, seeded

# Of the histograms of properties.
_BINS = 48


class RegressorTask(Task):
    """One more regressor for a model.

    Raises:
        CardError: if the model it is for has no sound checkpoint.
        PresetError: if the preset names a property that the data set does not have.
    """

    def __init__(self, preset: RegressorPreset, folder: Path, *, checkpoints: Path) -> None:
        self._folder, self._source = folder, checkpoints / preset.model
        self._card, self._denoiser = load_checkpoint(self._source)
        data = load_labelled(preset.dataset)
        columns = _columns(preset.properties, data)
        splits = data.splits_for(preset.role).with_properties(columns)
        self.train = LabelledDataset(splits.train)
        self.validation = LabelledDataset(splits.validation[: preset.training.validation_graphs])
        self.test = LabelledDataset(splits.test[: preset.training.test_graphs or len(splits.test)])
        self._described = RegressorCard(
            name=preset.name,
            role=preset.role,
            properties=[
                _describe_property(data.labels.properties[i], splits.train.values[:, j]) for j, i in enumerate(columns)
            ],
            features=preset.features,
            network=preset.network,
            training=new_record(preset, splits.split, len(splits.train)),
        )
        module = seeded(preset.training.seed, lambda: RegressionModule(self._card, self._described, preset.training))
        if preset.training.start_from_model:
            module.start_from(self._denoiser)
        self.module = module
        self._average: TrainingModule = module

    def export(self, average: TrainingModule, *, gradient_steps: int) -> None:
        record = record_so_far(self._described.training, self.module, gradient_steps)
        self._described = self._described.model_copy(update={"training": record})
        self._average = average
        self._save()

    def report(self, metrics: Mapping[str, Any]) -> None:
        properties = [
            known.model_copy(
                update={"mae": {level: float(metrics[error_name("test", known.name, level)]) for level in NOISE_LEVELS}}
            )
            for known in self._described.properties
        ]
        self._described = self._described.model_copy(update={"properties": properties})
        self._save()

    def _save(self) -> None:
        # The card names the model's other regressors too, so their files come along.
        for other in self._card.regressors:
            if other.weights and other.name != self._described.name and self._folder != self._source:
                with atomic_write(self._folder / other.weights.file) as partial:
                    shutil.copyfile(self._source / other.weights.file, partial)
        card = self._card if self._folder == self._source else save_checkpoint(self._card, self._denoiser, self._folder)
        save_regressor(card, self._described, regressor_of(self._average), self._folder)


def _columns(properties: Sequence[str], data: LabelledData) -> list[int]:
    known = data.property_names
    if unknown := set(properties) - set(known):
        raise PresetError(
            f"{data.graphs.name} has no property {', '.join(sorted(unknown))}; it has {', '.join(known) or 'none'}"
        )
    return [known.index(name) for name in properties]


def _describe_property(source: PropertySource, values: Tensor) -> Property:
    return Property(
        name=source.name,
        unit=source.unit,
        description=source.description,
        mean=float(values.mean()),
        std=float(values.std()),
        min=float(values.min()),
        max=float(values.max()),
        spread=float((values - values.median()).abs().mean()),
        histogram=[int(count) for count in torch.histc(values.float(), _BINS).tolist()],
    )
