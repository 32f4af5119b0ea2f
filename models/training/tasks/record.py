"""What a card says of a training: the data, the recipe, how long it took and on what."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from models.card.card import TrainingRecord
from models.training.module import TrainingModule
from models.training.preset import Preset


def new_record(preset: Preset, split: str, num_graphs: int, *, notes: list[str] | None = None) -> TrainingRecord:
    """The record of a training that has not begun."""
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


def record_so_far(record: TrainingRecord, module: TrainingModule, gradient_steps: int) -> TrainingRecord:
    """The record of a training as far as it has come."""
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
