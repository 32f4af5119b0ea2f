"""The cost model, held against its formula."""

import pytest

from models.card.cost import (
    graph_cost,
    job_cost,
    largest_graph_cost,
    mean_graph_cost,
    num_passes,
    padded_size,
    size_weights,
)
from tests.conftest import make_card

CARD = make_card(max_nodes=40)  # half of its graphs have 5 nodes, the others 40


def test_a_width_is_a_multiple_of_sixteen_or_the_largest_size() -> None:
    assert [padded_size(CARD, size) for size in (1, 16, 17, 32, 33, 40)] == [16, 16, 32, 32, 40, 40]


def test_a_padded_size_stays_as_it_is() -> None:
    assert all(padded_size(CARD, padded_size(CARD, size)) == padded_size(CARD, size) for size in range(1, 60))


def test_guidance_costs_more_passes() -> None:
    assert num_passes(CARD, None) == 1
    assert num_passes(CARD, "gradient") == 3
    assert num_passes(CARD, "proposals") == 1 + CARD.guidance.num_proposals


def test_the_cost_of_a_graph_is_its_width_squared_in_each_pass() -> None:
    assert graph_cost(CARD, 17, None) == 32**2
    assert graph_cost(CARD, 17, "gradient") == 3 * 32**2


def test_the_largest_graph_is_one_that_is_drawn() -> None:
    assert size_weights(CARD, range(1, 20)) == {5: 0.5}
    assert largest_graph_cost(CARD, range(1, 20), None) == 16**2
    assert largest_graph_cost(CARD, range(17, 20), None) == 32**2


def test_a_job_costs_the_mean_graph_in_every_draw_and_step() -> None:
    mean = (16**2 + 40**2) / 2

    assert mean_graph_cost(CARD, range(1, 41), None) == pytest.approx(mean)
    assert job_cost(CARD, range(1, 41), None, num_draws=6, num_steps=10) == pytest.approx(60 * mean)
