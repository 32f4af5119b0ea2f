"""Presets: what to train, on what, and how, in one TOML file each (`models/training/presets`)."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.card import DiffusionConfig, FeatureConfig, ModelName, NetworkConfig, SamplingConfig

PRESET_FILE = "preset.json"


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
    warmup_steps: Annotated[int, Field(ge=1)] = 500
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    edge_weight: Annotated[float, Field(gt=0, description="λ_E of the loss.")] = 5.0
    time_distortion: Annotated[
        Literal["uniform", "polydec"],
        Field(description="Density of t in training; 'polydec' draws by u², more often near the clean graph."),
    ] = "uniform"
    validation_steps: Annotated[int, Field(ge=1, description="Gradient steps between validations.")] = 2_000
    validation_graphs: Annotated[int, Field(ge=1)] = 2_048


class Preset(BaseModel):
    """Everything that `digress train` needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ModelName
    version: str
    description: str
    licence: str = "MIT"
    dataset: Literal["qm9"]
    notes: list[str] = []
    diffusion: DiffusionConfig = DiffusionConfig()
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = NetworkConfig()
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()


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
        return Preset.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
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
