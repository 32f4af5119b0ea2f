import math
from typing import get_args

import pytest

from models.card.config import DiffusionConfig, Schedule
from models.diffusion.schedule import alpha_bar


@pytest.mark.parametrize("schedule", get_args(Schedule))
@pytest.mark.parametrize("num_timesteps", [1, 7, 500])
def test_a_schedule_starts_at_exactly_one_falls_strictly_and_ends_near_zero(schedule: str, num_timesteps: int) -> None:
    survival = alpha_bar(DiffusionConfig.model_validate({"schedule": schedule, "num_timesteps": num_timesteps}))

    assert survival[0] == 1
    assert (survival.diff() < 0).all()
    assert 0 < survival[-1] < 1e-6


def test_the_cosine_schedule_is_the_published_formula() -> None:
    survival = alpha_bar(DiffusionConfig(schedule="cosine", num_timesteps=100))

    def f(t: int) -> float:
        return math.cos(math.pi / 2 * (t / 100 + 0.008) / 1.008) ** 2

    assert survival[40].item() == pytest.approx(f(40) / f(0), rel=1e-12)
