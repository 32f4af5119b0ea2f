"""What a training run trains: a module, its data, and what becomes of the averaged weights.

DenoiserTask    a new model: its card from the data, its weights in a checkpoint folder
RegressorTask   a regressor for a model there is: the model's folder again, with one more file and a longer card
"""

import os
import platform
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from models.card.card import ModelCard, Property, RegressorCard, TrainingRecord
from models.card.files import written_whole
from models.card.folder import read_card
from models.checkpoint import load_checkpoint, save_checkpoint, save_regressor
from models.data.catalogue import LabelledData, load_dataset, load_labelled
from models.data.dataset import GraphData, GraphDataset, LabelledDataset, LabelledGraphs
from models.data.own import fingerprint
from models.data.qm9 import PropertySource
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.training.denoising import DiffusionModule, denoiser_of
from models.training.module import TrainingModule
from models.training.preset import DenoiserPreset, Preset, PresetError, RegressorPreset
from models.training.regression import NOISE_LEVELS, RegressionModule, error_name, regressor_of

# Molecules of the training split that a guide learns from; a judge has the others, and the validation split.
_GUIDE_MOLECULES = 70_000
_JUDGE_VALIDATION = 2_048
# Of the histograms of properties.
_BINS = 48

Data = GraphDataset | LabelledDataset


class Task(ABC):
    """A module to train, and the three parts of its data."""

    module: TrainingModule
    train: Data
    validation: Data
    test: Data

    @abstractmethod
    def export(self, average: TrainingModule, *, gradient_steps: int) -> None:
        """Write the averaged weights as a checkpoint folder."""

    def report(self, metrics: Mapping[str, Any]) -> None:
        """Hear of the test that ends a training."""
        return


class DenoiserTask(Task):
    """A model from the beginning, or from another one's weights.

    Raises:
        CardError: if it is to start from a folder that has no sound checkpoint.
        PresetError: if that checkpoint's network is another one, or for other graphs.
    """

    def __init__(self, preset: DenoiserPreset, folder: Path, *, resume: bool = False) -> None:
        self._folder = folder
        data = load_dataset(preset.dataset)
        self._card = describe(preset, data)
        self._record = _record(preset, data.split, len(data.train), notes=data.notes)
        self.module = _seeded(preset.training.seed, lambda: DiffusionModule(self._card, preset.training))
        if preset.training.start_from is not None and not resume:
            denoiser = denoiser_of(self.module)
            denoiser.load_state_dict(_weights_for(denoiser, self._card, Path(preset.training.start_from)))
        self.train = GraphDataset(data.train)
        self.validation = GraphDataset(data.validation[: preset.training.validation_graphs])
        self.test = GraphDataset(data.test[: preset.training.validation_graphs])

    def export(self, average: TrainingModule, *, gradient_steps: int) -> None:
        record = _so_far(self._record, self.module, gradient_steps)
        card = self._card.model_copy(update={"training": record})
        save_checkpoint(card, denoiser_of(average), self._folder)


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

        def part(name: str) -> LabelledGraphs:
            graphs: GraphBatch = getattr(data.graphs, name)
            return LabelledGraphs(graphs, data.values[name][:, columns])

        train, validation, test = part("train"), part("validation"), part("test")
        split = data.graphs.split
        if preset.dataset == "qm9" and preset.role == "guide":
            train = train[:_GUIDE_MOLECULES]
            split += f"; the first {_GUIDE_MOLECULES} training molecules"
        elif preset.dataset == "qm9":
            train = _joined(train[_GUIDE_MOLECULES:], validation[_JUDGE_VALIDATION:])
            validation = validation[:_JUDGE_VALIDATION]
            split += (
                f"; the training molecules after the first {_GUIDE_MOLECULES}, "
                f"and the validation molecules after the first {_JUDGE_VALIDATION}"
            )
        self.train = LabelledDataset(train)
        self.validation = LabelledDataset(validation[: preset.training.validation_graphs])
        self.test = LabelledDataset(test[: preset.training.test_graphs or len(test)])
        self._described = RegressorCard(
            name=preset.name,
            role=preset.role,
            properties=[_describe_property(data.properties[i], train.values[:, j]) for j, i in enumerate(columns)],
            features=preset.features,
            network=preset.network,
            training=_record(preset, split, len(train)),
        )
        module = _seeded(preset.training.seed, lambda: RegressionModule(self._card, self._described, preset.training))
        if preset.training.start_from_model:
            module.start_from(self._denoiser)
        self.module = module
        self._average: TrainingModule = module

    def export(self, average: TrainingModule, *, gradient_steps: int) -> None:
        record = _so_far(self._described.training, self.module, gradient_steps)
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
                with written_whole(self._folder / other.weights.file) as partial:
                    shutil.copyfile(self._source / other.weights.file, partial)
        card = self._card if self._folder == self._source else save_checkpoint(self._card, self._denoiser, self._folder)
        save_regressor(card, self._described, regressor_of(self._average), self._folder)


def said_from(preset: Preset) -> Preset:
    """The preset with a note of the checkpoint that it starts from, if it does.

    Raises:
        CardError: if that folder has no sound card.
    """
    if not isinstance(preset, DenoiserPreset) or preset.training.start_from is None:
        return preset
    source = read_card(Path(preset.training.start_from))
    trained = source.training
    told = f"Began with the weights of {source.name} {source.version} (sha256 {source.weights.sha256 if source.weights else 'unknown'})"
    told += f", trained for {trained.minutes:g} minutes, {trained.gradient_steps} steps." if trained else "."
    return preset.model_copy(update={"notes": [*preset.notes, told]})


def require_unchanged(preset: Preset) -> None:
    """Make sure that a file to learn from is what it was when the preset was made.

    Raises:
        PresetError: if it is not.
        OSError: if it is gone.
    """
    if preset.dataset_sha256 is not None and fingerprint(Path(preset.dataset)) != preset.dataset_sha256:
        raise PresetError(
            f"{preset.dataset} has changed since this run was begun; start another one for it, in another folder"
        )


def describe(preset: DenoiserPreset, data: GraphData) -> ModelCard:
    """The card of a model that has not been trained yet."""
    return ModelCard(
        name=preset.name,
        version=preset.version,
        description=preset.description,
        licence=preset.licence,
        domain=data.domain,
        node_types=data.node_types,
        edge_types=data.edge_types,
        node_marginals=data.node_marginals(),
        edge_marginals=data.edge_marginals(),
        size_distribution=data.size_distribution(),
        max_nodes=data.max_nodes,
        diffusion=preset.diffusion,
        features=preset.features,
        network=preset.network,
        sampling=preset.sampling,
    )


def _weights_for(fresh: Denoiser, card: ModelCard, folder: Path) -> dict[str, Tensor]:
    """The weights in `folder`, if they mean the same in the network of `card`; triangles that they lack say nothing at first."""
    other, denoiser = load_checkpoint(folder)
    # The time it is asked about at the least does not change what a weight means.
    diffusion = other.diffusion.model_copy(update={"min_timestep": card.diffusion.min_timestep})
    network, missing = other.network, dict[str, Tensor]()
    if not network.triangle_width and card.network.triangle_width:
        network = network.model_copy(update={"triangle_width": card.network.triangle_width})
        missing = {
            name: torch.zeros_like(weight) if name.endswith("triangles_to_edge.weight") else weight
            for name, weight in fresh.state_dict().items()
            if ".triangles." in name
        }
    other = other.model_copy(update={"diffusion": diffusion, "network": network})
    for name in ("network", "features", "node_types", "edge_types", "max_nodes", "diffusion"):
        if getattr(other, name) != getattr(card, name):
            raise PresetError(
                f"training.start_from: {folder} has other {name.replace('_', ' ')}: {getattr(other, name)!r}, not {getattr(card, name)!r}"
            )
    return missing | denoiser.state_dict()


def _columns(properties: Sequence[str], data: LabelledData) -> list[int]:
    known = [source.name for source in data.properties]
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


def _joined(first: LabelledGraphs, second: LabelledGraphs) -> LabelledGraphs:
    a, b = first.graphs, second.graphs
    graphs = GraphBatch(
        torch.cat([a.nodes, b.nodes]), torch.cat([a.edges, b.edges]), torch.cat([a.num_nodes, b.num_nodes])
    )
    return LabelledGraphs(graphs, torch.cat([first.values, second.values]))


_Module = TypeVar("_Module", bound=TrainingModule)


def _seeded(seed: int, make: Callable[[], _Module]) -> _Module:
    # torch initialises weights from its global generator only.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _record(preset: Preset, split: str, num_graphs: int, *, notes: list[str] | None = None) -> TrainingRecord:
    return TrainingRecord(
        dataset=Path(preset.dataset).name,
        dataset_sha256=preset.dataset_sha256,
        split=split,
        num_graphs=num_graphs,
        preset=preset.name,
        seed=preset.training.seed,
        gradient_steps=0,
        recipe=_recipe(preset),
        minutes=0.0,
        hardware=_hardware(),
        code_version=version("digress-serve"),
        finished=False,
        notes=[*(notes or []), *preset.notes],
    )


def _recipe(preset: Preset) -> dict[str, Any]:
    """The training section; of a folder its name only, since paths are this machine's."""
    recipe = preset.training.model_dump(mode="json")
    if recipe.get("start_from"):
        recipe["start_from"] = Path(recipe["start_from"]).name
    return recipe


def _so_far(record: TrainingRecord, module: TrainingModule, gradient_steps: int) -> TrainingRecord:
    changes = {
        "gradient_steps": gradient_steps,
        "minutes": round(module.clock.minutes, 2),
        "finished": module.progress >= 1,
    }
    return record.model_copy(update=changes)


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} thread(s) of {_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
