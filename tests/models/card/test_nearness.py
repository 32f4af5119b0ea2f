import pytest

from models.card.measurements import GivenMeasurement
from models.card.nearness import noise_for_strength
from tests.conftest import make_card

CURVE = {0.1: 0.55, 0.2: 0.28, 0.3: 0.3, 1.0: 0.1}


def measured(num_graphs: int, curve: dict[float, float], **changes: str) -> GivenMeasurement:
    values = {f"similarity_at_{noise}": similarity for noise, similarity in curve.items()}
    settings = {"sampler": "mixed", "eta": 0.2, "grid": "polydec", "num_steps": 50, "seed": 1, "command": "digress"}
    counts = {"version": "1", "kind": "near", "num_sources": 2, "num_graphs": num_graphs}
    return GivenMeasurement.model_validate(settings | counts | {"values": values} | changes)


def test_strength_is_the_share_of_similarity_that_is_lost() -> None:
    others = [measured(10, {0.5: 0.5}), measured(1_000, {0.5: 0.5}, version="0"), measured(1_000, {}, kind="parts")]
    card = make_card().model_copy(update={"given_metrics": [*others, measured(100, CURVE)]})

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
