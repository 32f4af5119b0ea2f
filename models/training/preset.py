"""Presets: what to train, on what, and how, in one TOML file each (`models/training/presets`)."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from models.card.config import DiffusionConfig, FeatureConfig, ModelName, NetworkConfig, RegressorRole, SamplingConfig

PRESET_FILE = "preset.json"
TimeDistortion = Literal["uniform", "polydec", "cubic", "early", "middle"]


class PresetError(ValueError):
    """A preset that does not exist or does not say what a preset must."""


class TrainingConfig(BaseModel):
    """How to optimise. Training ends at `max_steps` or `max_minutes`, whichever comes first, and decays towards it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 128
    max_steps: Annotated[int, Field(ge=1)] = 100_000
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    clock: Annotated[
        Literal["wall", "cpu"],
        Field(description="What a minute is; 'cpu' counts processor time, for fair comparisons."),
    ] = "wall"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    optimizer: Annotated[
        Literal["adamw", "muon"], Field(description="'muon' moves the matrices inside the layers by Muon.")
    ] = "adamw"
    matrix_learning_rate: Annotated[float, Field(gt=0, description="Muon's.")] = 0.02
    warmup_steps: Annotated[int, Field(ge=1)] = 500
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    time_distortion: Annotated[
        TimeDistortion,
        Field(
            description="Density of t in training. 'polydec' and 'cubic' draw by u² and u³, more often near the clean graph; "
            "'early' draws nine in ten from the half before T/2, all alike; 'middle' eight in ten from .35 T to .65 T."
        ),
    ] = "uniform"
    validation_steps: Annotated[int, Field(ge=1, description="Gradient steps between validations.")] = 2_000
    validation_graphs: Annotated[int, Field(ge=1)] = 2_048
    save_minutes: Annotated[float, Field(gt=0, description="Minutes between two saves of the state.")] = 1.0


class DenoiserTraining(TrainingConfig):
    """How to train a denoiser; `edge_weight` is DiGress's `lambda_train`."""

    edge_weight: Annotated[float, Field(gt=0, description="λ_E of the loss.")] = 5.0
    given: Annotated[
        bool,
        Field(
            description="Give a random part of each graph (`models.training.given`), so that requests can give parts."
        ),
    ] = False
    start_from: Annotated[
        str | None,
        Field(
            description="Begin with the weights of this checkpoint folder, whose network must be the same, or lack no more than triangles or given parts."
        ),
    ] = None


class RegressorTraining(TrainingConfig):
    """How to train a regressor."""

    clean_share: Annotated[
        float,
        Field(ge=0, le=1, description="Share of graphs seen without noise, as finished graphs are."),
    ] = 0.25
    start_from_model: Annotated[
        bool, Field(description="Begin with the denoiser's weights wherever the two networks have the same.")
    ] = True
    test_graphs: Annotated[
        int | None, Field(ge=1, description="Test graphs for the errors in the card; all if null.")
    ] = None


class _Preset(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ModelName
    dataset: Annotated[str, Field(description="One of the package's data sets, or a file (`models.data.files.load`).")]
    dataset_sha256: Annotated[str | None, Field(description="Of a file, so that resuming finds the same.")] = None
    notes: list[str] = []
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = NetworkConfig()


class DenoiserPreset(_Preset):
    """A model to train: everything that its card will say."""

    kind: Literal["denoiser"] = "denoiser"
    version: str
    description: str
    licence: str = "MIT"
    diffusion: DiffusionConfig = DiffusionConfig()
    sampling: SamplingConfig = SamplingConfig()
    training: DenoiserTraining = DenoiserTraining()

    @property
    def checkpoint(self) -> str:
        """Name of the checkpoint folder that it becomes."""
        return self.name


class RegressorPreset(_Preset):
    """A regressor to train for a model there is."""

    kind: Literal["regressor"]
    model: Annotated[ModelName, Field(description="The checkpoint whose noisy graphs it reads.")]
    role: RegressorRole = "guide"
    properties: Annotated[list[str], Field(min_length=1)]
    training: RegressorTraining = RegressorTraining()

    @property
    def checkpoint(self) -> str:
        """Name of the checkpoint folder that it becomes part of."""
        return self.model


Preset = DenoiserPreset | RegressorPreset
_PRESET: TypeAdapter[Preset] = TypeAdapter(Annotated[Preset, Field(discriminator="kind")])


def available_presets() -> list[str]:
    """Names of the presets that come with this package."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def load_preset(name: str, overrides: Sequence[str] = ()) -> Preset:
    """A preset by name, changed by `overrides` like "training.batch_size=64" (values as in TOML).

    Raises:
        PresetError: if there is no such preset, or an override does not fit.
    """
    path = _folder() / f"{name}.toml"
    if name not in available_presets():
        raise PresetError(f"there is no preset {name!r}; available: {', '.join(available_presets())}")
    return _changed(name, tomllib.loads(path.read_text(encoding="utf-8")), overrides)


def parse_preset(values: dict[str, Any], overrides: Sequence[str] = ()) -> Preset:
    """The preset that these values make, changed as in `load_preset`.

    Raises:
        PresetError: if they make none, or an override does not fit.
    """
    return _changed(str(values["name"]), values, overrides)


def saved_preset(root: Path, overrides: Sequence[str] = ()) -> Preset:
    """The preset that a training folder was begun with, changed by `overrides`.

    Raises:
        PresetError: if the folder has none, or an override does not fit.
    """
    path = root / PRESET_FILE
    if not path.is_file():
        raise PresetError(f"{root} holds no run to resume; leave --resume out to start one")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PresetError(f"{path} is not JSON: {error}") from error
    return _changed(str(path), values, overrides)


def _changed(name: str, values: dict[str, Any], overrides: Sequence[str]) -> Preset:
    for override in overrides:
        _apply(values, override)
    try:
        return _PRESET.validate_python({"kind": "denoiser", **values})
    except ValidationError as error:
        # The first part of a location is the kind of preset.
        problems = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        raise PresetError(f"preset {name!r} does not fit: {problems}") from error


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise PresetError(f"{override!r} is not an override; write key=value, like training.batch_size=64")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise PresetError(f"{override!r}: {section!r} is a value, not a section")
    values[last] = value


def _folder() -> Path:
    return Path(__file__).parent / "presets"
