"""The best of several candidates, whatever the order in which they are finished."""

import torch

from models.candidates import BestCandidates, FinishedCandidates
from tests.conftest import random_graphs


def finished(numbers: list[int], distances: list[float]) -> FinishedCandidates:
    graphs = random_graphs([5] * len(numbers))
    return FinishedCandidates(torch.tensor(numbers), torch.tensor(numbers) + 100, graphs, torch.tensor(distances), ())


def test_the_nearest_candidate_is_kept_with_the_seed_of_the_first() -> None:
    kept = BestCandidates(3).choose(finished([0, 1, 2, 3, 4, 5], [2.0, 0.5, 1.0, 0.1, 3.0, 4.0]))

    assert kept.numbers.tolist() == [1, 3]
    assert kept.seeds.tolist() == [100, 103]


def test_candidates_wait_for_the_last_one_of_their_graph() -> None:
    best = BestCandidates(2)

    first = best.choose(finished([3, 0], [1.0, 1.0]))
    second = best.choose(finished([2, 1], [0.5, 2.0]))

    assert first.numbers.tolist() == []
    assert second.numbers.tolist() == [0, 2]
