from pathlib import Path

import pytest
import torch

from models.card.folder import CardError, read_card
from models.checkpoint import load_checkpoint
from models.diffusion.context import Context
from models.graphs import GraphBatch
from models.training.denoising import denoiser_of
from models.training.given import draw_given
from models.training.preset import PresetError
from models.training.tasks.denoiser import DenoiserTask
from tests.models.training.conftest import load_denoiser_preset


def test_a_training_may_begin_with_the_weights_of_a_checkpoint_of_the_same_shape(
    tmp_path: Path, qm9_folder: Path
) -> None:
    start = f"training.start_from={qm9_folder}"

    begun = DenoiserTask(preset := load_denoiser_preset("qm9", start), tmp_path)

    _, denoiser = load_checkpoint(qm9_folder)
    torch.testing.assert_close(denoiser_of(begun.module).state_dict(), denoiser.state_dict(), rtol=0, atol=0)
    assert preset.training.start_from == str(qm9_folder)
    with pytest.raises(PresetError, match="has other network"):
        DenoiserTask(load_denoiser_preset("qm9", start, "network.num_layers=2"), tmp_path)
    with pytest.raises(PresetError, match="has other diffusion"):
        DenoiserTask(load_denoiser_preset("qm9", start, "diffusion.num_timesteps=100"), tmp_path)
    with pytest.raises(CardError):
        DenoiserTask(load_denoiser_preset("qm9", f"training.start_from={tmp_path}"), tmp_path)


@pytest.mark.slow  # the data set with hydrogens takes a minute to build
def test_a_training_does_not_begin_with_the_weights_of_other_node_types(tmp_path: Path, qm9_folder: Path) -> None:
    changes = [f"training.start_from={qm9_folder}", "network.num_layers=6"]

    with pytest.raises(PresetError, match="has other node types"):
        DenoiserTask(load_denoiser_preset("qm9-h", *changes), tmp_path)


def test_a_training_that_begins_with_weights_without_triangles_begins_with_the_same_function(tmp_path: Path) -> None:
    small = ["network.num_layers=2", "network.triangle_width=0"]
    folder = tmp_path / "comm20"
    folder.mkdir()
    plain = DenoiserTask(load_denoiser_preset("comm20", *small), folder)
    denoiser = denoiser_of(plain.module)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    plain.export(plain.module, gradient_steps=0)

    changes = ["network.num_layers=2", "network.triangle_width=4", f"training.start_from={folder}"]
    begun = denoiser_of(DenoiserTask(load_denoiser_preset("comm20", *changes), tmp_path).module)

    graphs, t = plain.validation.__getitems__([0, 1, 2]), torch.tensor([1, 50, 400])
    torch.testing.assert_close(begun(graphs, t).edges, denoiser(graphs, t).edges, rtol=0, atol=1e-5)
    assert any("triangles_to_edge" in name for name in begun.state_dict())


def test_a_training_with_parts_given_may_begin_with_weights_that_knew_none(tmp_path: Path) -> None:
    folder = tmp_path / "comm20"
    folder.mkdir()
    plain = DenoiserTask(load_denoiser_preset("comm20", "network.num_layers=2", "training.given=false"), folder)
    plain.export(plain.module, gradient_steps=0)

    changes = ["network.num_layers=2", "training.given=true", f"training.start_from={folder}"]
    other = tmp_path / "given" / "comm20"
    other.mkdir(parents=True)
    task = DenoiserTask(load_denoiser_preset("comm20", *changes), other)
    task.export(task.module, gradient_steps=0)

    graphs, t = plain.validation.__getitems__([0, 1, 2]), torch.tensor([1, 50, 400])
    assert isinstance(graphs, GraphBatch)
    begun = denoiser_of(task.module)
    context = Context(draw_given(graphs, torch.arange(3)))
    assert torch.equal(begun(graphs, t, context=context).edges, denoiser_of(plain.module)(graphs, t).edges)
    assert not read_card(folder).network.reads_given
    assert read_card(other).network.reads_given
