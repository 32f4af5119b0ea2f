import pytest

from models.card.card import SimilarityPoint
from models.card.nearness import noise_for_strength
from tests.conftest import make_card

CURVE = [(0.0, 1.0), (0.1, 0.55), (0.2, 0.28), (0.3, 0.3), (1.0, 0.1)]


def test_strength_is_the_share_of_similarity_that_is_lost() -> None:
    points = [SimilarityPoint(noise=noise, similarity=similarity, unchanged=0) for noise, similarity in CURVE]
    card = make_card().model_copy(update={"similarity_curve": points})

    assert noise_for_strength(card, 0.0) == 0
    assert noise_for_strength(card, 0.5) == pytest.approx(0.1)
    assert noise_for_strength(card, 0.25) == pytest.approx(0.05)
    assert noise_for_strength(card, 0.8) == pytest.approx(0.2)
    assert noise_for_strength(card, 1.0) == 1


def test_without_a_curve_it_rises_all_the_same() -> None:
    noises = [noise_for_strength(make_card(), strength / 10) for strength in range(11)]

    assert noises[0] == 0
    assert noises == sorted(set(noises))
    assert noises[-1] <= 1
