import pytest
import torch

from models.diffusion.randomness import EDGE_STREAM, NODE_STREAM, draw, graph_seeds, pair_positions, uniforms

SEEDS = graph_seeds(7, torch.arange(1_000))


def numbers(seeds: torch.Tensor, *, step: int = 3, stream: int = NODE_STREAM, length: int = 50) -> torch.Tensor:
    return uniforms(seeds, step=torch.full_like(seeds, step), stream=stream, positions=torch.arange(length))


def test_numbers_are_those_of_the_formula_in_unbounded_integers() -> None:
    seeds = [mix(mix(7) + i * GAMMA) >> 11 for i in range(2)]
    states = [mix(mix(seed + 3 * GAMMA) + NODE_STREAM * GAMMA) for seed in seeds]
    expected = [[mix(state + position * GAMMA) >> 40 for position in range(3)] for state in states]

    found = numbers(graph_seeds(7, torch.arange(2)), length=3)

    assert graph_seeds(7, torch.arange(2)).tolist() == seeds
    assert (found * 2**24).long().tolist() == expected == [[4599284, 1133323, 6826863], [13484095, 9671227, 5045553]]


GAMMA = 0x9E3779B97F4A7C15


def mix(z: int) -> int:
    """SplitMix64's finaliser, as published."""
    z %= 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_a_graph_draws_the_same_alone_and_in_a_batch() -> None:
    assert torch.equal(numbers(SEEDS)[41:42], numbers(SEEDS[41:42]))


def test_numbers_are_uniform() -> None:
    counts = torch.histc(numbers(SEEDS), bins=100, min=0, max=1)

    chi_square = ((counts - 500) ** 2 / 500).sum().item()
    assert chi_square < 160  # 99 degrees of freedom: exceeded with probability 1e-4


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (numbers(SEEDS), numbers(SEEDS, step=4)),
        (numbers(SEEDS), numbers(SEEDS, stream=EDGE_STREAM)),
        (numbers(SEEDS)[:-1], numbers(SEEDS)[1:]),
        (numbers(SEEDS)[:, :-1], numbers(SEEDS)[:, 1:]),
        (numbers(SEEDS), numbers(graph_seeds(8, torch.arange(1_000)))),
    ],
    ids=["steps", "streams", "graphs", "positions", "requests"],
)
def test_neighbouring_numbers_are_uncorrelated(first: torch.Tensor, second: torch.Tensor) -> None:
    correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item()

    assert abs(correlation) < 4 / first.numel() ** 0.5


def test_a_pair_has_one_number_which_padding_does_not_change() -> None:
    positions = pair_positions(6, torch.device("cpu"))

    assert torch.equal(positions, positions.T)
    assert torch.equal(positions[:4, :4], pair_positions(4, torch.device("cpu")))
    upper = positions[torch.triu(torch.ones(6, 6, dtype=torch.bool), diagonal=1)]
    assert sorted(upper.tolist()) == list(range(15))


def test_categories_are_drawn_as_often_as_their_probabilities_say() -> None:
    probs = torch.tensor([0.5, 0.0, 0.3, 0.2])

    drawn = draw(probs.expand(50_000, 4), numbers(SEEDS).flatten())

    frequencies = torch.bincount(drawn, minlength=4) / 50_000
    assert frequencies[1] == 0
    torch.testing.assert_close(frequencies, probs, atol=0.01, rtol=0)


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-24])
def test_the_ends_of_the_interval_draw_possible_categories(uniform: float) -> None:
    probs = torch.tensor([0.0, 0.25, 0.75, 0.0])

    assert draw(probs, torch.tensor(uniform)).item() in (1, 2)
