import torch

from models.training.ema import ExponentialMovingAverage


def test_the_average_follows_its_formula() -> None:
    average = ExponentialMovingAverage(0.9)
    update = average._kwargs["multi_avg_fn"]
    averages, expected = [torch.zeros(3)], torch.zeros(3)

    for n in range(1, 200):
        weights = torch.full((3,), float(n))
        update(averages, [weights], torch.tensor(n))
        decay = min(0.9, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * weights

    torch.testing.assert_close(averages[0], expected)
