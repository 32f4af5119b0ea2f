import pytest
import torch

from models.training.denoising import DiffusionModule
from models.training.preset import (
    DenoiserTraining,
)
from tests.conftest import make_card, random_graphs


def test_time_is_drawn_from_one_to_the_last_step_and_more_often_where_a_distortion_says() -> None:
    means, amid = {}, {}
    for distortion in ("uniform", "polydec", "cubic", "early", "middle"):
        config = DenoiserTraining.model_validate({"time_distortion": distortion})
        times = DiffusionModule(make_card(), config)._draw_time(torch.arange(20_000)).double()
        assert set(times.tolist()) == set(range(1, 51))
        means[distortion] = float(times.mean())
        amid[distortion] = float(((times > 17.5) & (times <= 32.5)).double().mean())

    assert means["uniform"] == pytest.approx(25.5, abs=0.5)
    assert means["polydec"] == pytest.approx(50 / 3, abs=0.7)
    assert means["cubic"] == pytest.approx(50 / 4, abs=0.7)
    assert means["early"] == pytest.approx(50 * (0.9 / 4 + 0.1 * 3 / 4), abs=0.7)
    assert means["middle"] == pytest.approx(25.5, abs=0.5)
    assert amid["uniform"] == pytest.approx(0.3, abs=0.02)
    assert amid["middle"] == pytest.approx(0.8, abs=0.03)


@pytest.mark.thorough
def test_a_network_learns_a_handful_of_graphs() -> None:
    torch.manual_seed(0)
    module = DiffusionModule(make_card(), DenoiserTraining(learning_rate=3e-3))
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    graphs, seeds = random_graphs([9, 6, 9, 4]), torch.arange(4)
    losses = []

    for _ in range(200):
        loss = module._loss(graphs, torch.full((4,), 10), seeds).total(5.0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.3 * losses[0]
