import math

import pytest
import torch

from models.properties import PropertyDistribution


def test_the_density_integrates_to_one_and_has_the_errors_it_says() -> None:
    values = torch.linspace(-60, 60, 200_001, dtype=torch.float64)[:, None]
    predicted = PropertyDistribution(torch.full_like(values, 1.5), torch.full_like(values, 0.8))
    width = float(values[1] - values[0])

    density = predicted.log_density(values).exp()

    assert float(density.sum() * width) == pytest.approx(1, abs=1e-6)
    for wanted in (1.5, 2.0, -4.0):
        by_sum = float((density * (values - wanted).abs()).sum() * width)
        expected = predicted.expected_error(torch.full_like(values, wanted))[0, 0]
        assert float(expected) == pytest.approx(by_sum, abs=1e-5)
    assert float(predicted.mean_absolute_deviation[0, 0]) == pytest.approx(2 * math.log(2) * 0.8)
