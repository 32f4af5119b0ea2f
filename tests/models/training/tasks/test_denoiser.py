from pathlib import Path

from models.checkpoint import load_checkpoint
from models.data.catalogue import load_dataset
from models.training.tasks.denoiser import DenoiserTask
from tests.models.training.conftest import TINY, load_denoiser_preset


def test_a_new_model_is_described_by_its_data_and_exported_as_a_checkpoint(tmp_path: Path) -> None:
    preset, data = load_denoiser_preset("comm20", *TINY), load_dataset("comm20")
    task = DenoiserTask(preset, tmp_path / "comm20")

    task.export(task.module, gradient_steps=12)

    card, denoiser = load_checkpoint(tmp_path / "comm20")
    assert card.validity == "connected"
    assert (card.node_types, card.max_nodes) == (data.node_types, data.max_nodes)
    assert (card.edge_marginals, card.size_distribution) == (data.edge_marginals(), data.size_distribution())
    assert card.training is not None
    assert (card.training.gradient_steps, card.training.num_graphs) == (12, len(data.train))
    assert len(task.validation) == min(preset.training.validation_graphs, len(data.validation))
    assert sum(parameter.numel() for parameter in denoiser.parameters()) > 0
