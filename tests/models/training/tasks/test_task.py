import torch

from models.training.denoising import DiffusionModule
from models.training.tasks.task import seeded
from tests.conftest import make_card
from tests.models.training.conftest import TINY, load_denoiser_preset


def test_first_weights_depend_on_the_seed_alone() -> None:
    config = load_denoiser_preset("comm20", *TINY).training

    def weights(seed: int) -> torch.Tensor:
        module = seeded(seed, lambda: DiffusionModule(make_card(), config))
        return torch.cat([parameter.flatten() for parameter in module.parameters()])

    torch.manual_seed(1)
    first = weights(7)
    torch.manual_seed(2)
    again = weights(7)

    assert torch.equal(first, again)
    assert not torch.equal(first, weights(8))


def test_seeding_a_module_leaves_the_random_numbers_of_others_alone() -> None:
    config = load_denoiser_preset("comm20", *TINY).training
    before = torch.get_rng_state()

    seeded(7, lambda: DiffusionModule(make_card(), config))

    assert torch.equal(torch.get_rng_state(), before)
