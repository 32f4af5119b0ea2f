"""As in the folder above; and presets of networks that are trained in seconds."""

from pathlib import Path

import lightning.pytorch  # noqa: F401

from models.card.card import ModelCard
from models.checkpoint import load_checkpoint, load_regressors
from models.networks.regressor import Regressor
from models.training.preset import DenoiserPreset, RegressorPreset, load_preset

TINY = [
    *("network.num_layers=1", "network.node_width=16", "network.edge_width=8", "network.global_width=8"),
    *("network.node_hidden=16", "network.edge_hidden=8", "network.global_hidden=8", "network.num_heads=2"),
    *("training.batch_size=32", "training.validation_steps=50", "training.validation_graphs=64"),
]
SHORT = [*TINY, "training.max_steps=60", "training.test_graphs=200"]


def load_denoiser_preset(name: str, *overrides: str) -> DenoiserPreset:
    loaded = load_preset(name, overrides)
    assert isinstance(loaded, DenoiserPreset)
    return loaded


def load_regressor_preset(name: str, *overrides: str) -> RegressorPreset:
    loaded = load_preset(name, overrides)
    assert isinstance(loaded, RegressorPreset)
    return loaded


def guide_of(folder: Path) -> tuple[ModelCard, Regressor]:
    card, _ = load_checkpoint(folder)
    (guide,) = load_regressors(card, folder, "guide")
    return card, guide
