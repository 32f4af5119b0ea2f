"""Presets for a file of the user's: chosen by what its graphs are and how large."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.data.catalogue import LabelledData
from models.data.files.load import fingerprint
from models.training.preset import DenoiserPreset, Preset, parse_preset

# Σ n² of a training batch, the most graphs in it, and how many batches there should be at least:
# of 160 graphs, with batches of 16 a mean MMD ratio of 4.4 was reached in four minutes, with one of 128 9.4 in five.
_BATCH_COST = 65_536
_LARGEST_BATCH = 128
_FEWEST_BATCHES = 10
_SMALL = 30
_DEFAULT_MINUTES = 60.0
# Of the time, where there are properties to learn as well.
_SHARE_OF_MODEL = 0.6


def model_preset(
    file: Path, data: LabelledData, *, name: str, max_minutes: float | None, overrides: Sequence[str] = ()
) -> Preset:
    """A model to train on a file's data set, in `max_minutes` with its regressor, if the data set has properties.

    Raises:
        PresetError: if an override, or the name, does not fit.
    """
    largest, is_molecule = data.graphs.max_nodes, data.graphs.domain == "molecule"
    return parse_preset(
        {
            "name": name,
            "version": "1",
            "description": f"Graphs like those of {file.name}: {min(data.graphs.size_distribution())} to {largest} nodes.",
            "licence": "that of the data",
            "dataset": str(file.resolve()),
            "dataset_sha256": fingerprint(file),
            # Near the clean graph a network would trust the sampler's own mistakes.
            "diffusion": {"min_timestep": 15},
            "features": {
                "random_walk_powers": 8 if largest <= _SMALL else 12,
                "molecular": is_molecule,
                # What hangs together. Of small graphs of two communities, after five minutes, 73 and 79 % were in one piece
                # without (two seeds, 400 samples), 81 and 94 % with it; with eigenvalues, too, 79 %.
                "resistance": not is_molecule,
                # In which communities: short walks do not show that in a large graph.
                "eigenvalues": 6 if largest > _SMALL and not is_molecule else 0,
            },
            "network": {"num_layers": 5, "triangle_width": 16},
            "sampling": {"sampler": "mixed", "num_steps": 100},
            "training": {
                **_training(data, max_minutes=model_share(data) * (max_minutes or _DEFAULT_MINUTES)),
                "learning_rate": 3e-3,
                "optimizer": "muon",
                "given": True,
            },
        },
        overrides,
    )


def regressor_preset(model: DenoiserPreset, data: LabelledData) -> Preset:
    """A regressor that steers a model of `model_preset` to the properties of its data set."""
    minutes = model.training.max_minutes or _DEFAULT_MINUTES
    return parse_preset(
        {
            "kind": "regressor",
            "name": f"{model.name}-regressor",
            "model": model.name,
            "dataset": model.dataset,
            "dataset_sha256": model.dataset_sha256,
            "properties": data.property_names,
            "features": model.features.model_dump(),
            "network": model.network.model_dump(),
            "training": {
                **_training(data, max_minutes=minutes * (1 / model_share(data) - 1)),
                "learning_rate": 2e-3,
            },
        }
    )


def model_share(data: LabelledData) -> float:
    """The share of the training minutes that the model gets; a regressor gets the rest."""
    return _SHARE_OF_MODEL if data.labels.properties else 1.0


def name_of(file: Path) -> str:
    """What a model of a file is called."""
    name = re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")
    return name[:50] or "graphs"


def _training(data: LabelledData, *, max_minutes: float) -> dict[str, Any]:
    graphs = data.graphs
    return {
        "batch_size": max(
            min(_BATCH_COST // graphs.max_nodes**2, _LARGEST_BATCH, len(graphs.train) // _FEWEST_BATCHES), 1
        ),
        "max_minutes": max_minutes,
        "warmup_steps": 100,
        "time_distortion": "polydec",
        "validation_steps": 250,
    }
