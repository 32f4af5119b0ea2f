import copy

import pytest
import torch
from torch.optim import AdamW, Muon
from torch.optim.lr_scheduler import LambdaLR

from models.networks.denoiser import Denoiser
from models.training.optimizer import CombinedOptimizer, make_optimizer, orthogonal
from models.training.preset import TrainingConfig
from tests.conftest import make_card, make_denoiser


@pytest.fixture
def denoiser() -> Denoiser:
    return make_denoiser(make_card()).train()


def give_gradients(module: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def names_of(module: torch.nn.Module, group: dict[str, object]) -> set[str]:
    members = {id(parameter) for parameter in group["params"]}  # type: ignore[attr-defined]
    return {name for name, parameter in module.named_parameters() if id(parameter) in members}


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_parameter_has_one_place_and_vectors_do_not_decay(denoiser: Denoiser, kind: str) -> None:
    optimizer = make_optimizer(denoiser, TrainingConfig.model_validate({"optimizer": kind}))

    groups = [names_of(denoiser, group) for group in optimizer.param_groups]

    everything = {name for name, _ in denoiser.named_parameters()}
    assert set.union(*groups) == everything
    assert sum(map(len, groups)) == len(everything)
    vectors = {name for name, parameter in denoiser.named_parameters() if parameter.ndim == 1}
    undecayed = [
        names for names, group in zip(groups, optimizer.param_groups, strict=True) if not group["weight_decay"]
    ]
    assert undecayed == [vectors]


def test_muon_moves_the_matrices_inside_the_layers_and_adam_the_rest(denoiser: Denoiser) -> None:
    config = TrainingConfig(optimizer="muon", learning_rate=1e-3, matrix_learning_rate=0.05)
    expected = copy.deepcopy(denoiser)
    inside = [p for name, p in expected.named_parameters() if ".layers." in name and p.ndim == 2]
    weights = [p for name, p in expected.named_parameters() if ".layers." not in name and p.ndim == 2]
    others = [p for p in expected.parameters() if p.ndim == 1]
    by_hand = [
        Muon(inside, lr=0.05, weight_decay=0.01),
        AdamW([{"params": weights, "weight_decay": 0.01}, {"params": others, "weight_decay": 0}], lr=1e-3, fused=True),
    ]
    optimizer = make_optimizer(denoiser, config)

    for step in range(3):
        give_gradients(denoiser, step)
        give_gradients(expected, step)
        optimizer.step()
        for part in by_hand:
            part.step()

    assert inside
    # torch's Muon computes in bfloat16; a matrix has moved by up to .05 · 3 in each direction.
    torch.testing.assert_close(denoiser.state_dict(), expected.state_dict(), rtol=0, atol=5e-3)


@pytest.mark.parametrize("shape", [(16, 16), (8, 24), (24, 8)])
def test_what_muon_moves_by_is_nearly_orthogonal_in_the_same_directions(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)

    values = left.mT @ orthogonal(matrices).float() @ right.mT

    diagonal = values.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(values, torch.diag_embed(diagonal), rtol=0, atol=0.02)
    assert diagonal.min() > 0.5
    assert diagonal.max() < 1.3


def test_a_schedule_reaches_all_parts_also_after_resuming(denoiser: Denoiser) -> None:
    config = TrainingConfig(optimizer="muon")
    optimizer = make_optimizer(denoiser, config)
    give_gradients(denoiser, 0)
    optimizer.step()
    resumed, twin = copy.deepcopy(denoiser), copy.deepcopy(denoiser)
    another = make_optimizer(resumed, config)
    another.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert isinstance(another, CombinedOptimizer)

    for module, chosen in ((denoiser, optimizer), (resumed, another)):
        scheduler = LambdaLR(chosen, lambda step: 0.1**step)
        for step in range(2):
            give_gradients(module, 1 + step)
            chosen.step()
            scheduler.step()

    assert [group["lr"] for group in another.optimizers[0].param_groups] == pytest.approx([0.02 * 0.01])
    torch.testing.assert_close(resumed.state_dict(), denoiser.state_dict(), rtol=0, atol=0)
    assert not torch.equal(next(resumed.parameters()), next(twin.parameters()))
