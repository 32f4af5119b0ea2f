from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.card.config import DiffusionConfig, Schedule
from models.diffusion.noise import CategoricalNoise
from models.diffusion.schedule import alpha_bar
from tests.models.diffusion.reference import table_posterior

T = 20
PRIORS = {
    "uniform": torch.full((4,), 0.25),
    "marginal": torch.tensor([0.7, 0.2, 0.0999, 0.0001]),
    "absorbing": torch.tensor([0.0, 0.0, 0.0, 1.0]),
}


@pytest.fixture(params=PRIORS)
def noise(request: pytest.FixtureRequest) -> CategoricalNoise:
    return make_noise(request.param)


def make_noise(prior: str, schedule: str = "cosine") -> CategoricalNoise:
    config = DiffusionConfig.model_validate({"schedule": schedule, "num_timesteps": T})
    return CategoricalNoise(alpha_bar(config), PRIORS[prior])


def times(*values: int) -> tuple[Tensor, ...]:
    return tuple(torch.tensor([value]) for value in values)


def test_transitions_are_stochastic_matrices(noise: CategoricalNoise) -> None:
    for s in range(T + 1):
        for t in range(s, T + 1):
            matrix = noise.transition(*times(s, t))
            assert (matrix >= 0).all()
            torch.testing.assert_close(matrix.sum(-1), torch.ones(1, 4, dtype=torch.float64))


def test_transitions_compose(noise: CategoricalNoise) -> None:
    for r, s, t in [(0, 1, 2), (0, 7, 20), (3, 3, 9), (5, 11, 19)]:
        earlier, later, whole = (noise.transition(*times(*pair)) for pair in ((r, s), (s, t), (r, t)))
        torch.testing.assert_close(earlier @ later, whole)


def test_no_time_forgets_nothing_and_all_the_time_forgets_everything(noise: CategoricalNoise) -> None:
    torch.testing.assert_close(noise.transition(*times(4, 4))[0], torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(noise.transition(*times(0, T))[0], noise.prior.expand(4, 4), atol=1e-6, rtol=0)


def test_corrupting_is_the_row_of_the_transition_matrix(noise: CategoricalNoise) -> None:
    x = torch.tensor([[0, 1, 2, 1]])

    probs = noise.corrupt(x, torch.tensor([13]))

    torch.testing.assert_close(probs[0].double(), noise.transition(*times(0, 13))[0][x[0]], atol=1e-6, rtol=1e-5)


@settings(deadline=None, max_examples=150)
@given(
    prior=st.sampled_from(sorted(PRIORS)),
    schedule=st.sampled_from(get_args(Schedule)),
    pair=st.tuples(st.integers(0, T - 1), st.integers(1, T)).filter(lambda pair: pair[0] < pair[1]),
    logits=st.lists(st.floats(-6, 6, allow_subnormal=False), min_size=4, max_size=4),
    now=st.integers(0, 3),
)
def test_the_closed_form_posterior_is_the_written_out_sum(
    prior: str, schedule: str, pair: tuple[int, int], logits: list[float], now: int
) -> None:
    noise = make_noise(prior, schedule)
    x_probs = torch.tensor(logits).softmax(-1)
    if prior == "absorbing":  # a clean category is never the mask
        x_probs = x_probs * torch.tensor([1, 1, 1, 0])
        x_probs = x_probs / x_probs.sum()
    s, t = times(*pair)

    closed = noise.posterior(x_probs[None, None], torch.tensor([[now]]), s=s, t=t)[0, 0]

    torch.testing.assert_close(
        closed.double(), written_out_posterior(noise, x_probs.double(), now, *pair), atol=2e-5, rtol=1e-4
    )


def written_out_posterior(noise: CategoricalNoise, x_probs: Tensor, now: int, s: int, t: int) -> Tensor:
    """Σ_x p̂(x) q(z_s | x) q(z_t | z_s) / Σ_z q(z | x) q(z_t | z), over the x that can lead to z_t, by loops."""
    to_s, onwards = noise.transition(*times(0, s))[0], noise.transition(*times(s, t))[0]
    total = torch.zeros(4, dtype=torch.float64)
    for x in range(4):
        joint = to_s[x] * onwards[:, now]
        if joint.sum() > 0:
            # q(z_s | z_t, x) needs q(z_t | x) > 0; weights of the x that cannot be are spread over the others.
            total += x_probs[x] * joint / joint.sum()
    return total / total.sum()


def test_the_posterior_by_tables_is_the_closed_form() -> None:
    noise = make_noise("marginal", "cosine")
    generator = torch.Generator().manual_seed(0)
    x_probs = torch.randn(3, 5, 5, 4, generator=generator).softmax(-1)
    z_t = torch.randint(4, (3, 5, 5), generator=generator)
    times_of_three = {"s": torch.tensor([0, 3, 8]), "t": torch.tensor([1, 12, 20])}

    found = table_posterior(noise, x_probs, z_t, **times_of_three)

    torch.testing.assert_close(found, noise.posterior(x_probs, z_t, **times_of_three), atol=2e-5, rtol=1e-4)


def test_posterior_probabilities_sum_to_one_for_edges_too(noise: CategoricalNoise) -> None:
    generator = torch.Generator().manual_seed(0)
    x_probs = torch.randn(3, 5, 5, 4, generator=generator).softmax(-1)
    z_t = torch.randint(4, (3, 5, 5), generator=generator)

    probs = noise.posterior(x_probs, z_t, s=torch.tensor([0, 3, 8]), t=torch.tensor([1, 12, 20]))

    torch.testing.assert_close(probs.sum(-1), torch.ones(3, 5, 5))


def test_a_prior_that_is_no_distribution_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sums to 1\.5"):
        CategoricalNoise(torch.ones(3), torch.tensor([0.5, 1.0]))
