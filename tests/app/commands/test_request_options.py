from typing import Any

import pytest

from app.commands.console import CommandError
from app.commands.request_options import (
    FilterCondition,
    QueuedRequestOptions,
    RequestOptions,
    complete_request,
)
from app.schemas import CompletedConditionalRequest, CompletedRequest, Priority


def test_options_that_were_left_out_are_not_in_the_request() -> None:
    assert RequestOptions().request_fields() == {}
    assert QueuedRequestOptions(seed=0, priority=Priority.LOW).request_fields() == {"seed": 0, "priority": "low"}


def test_options_are_fields_of_the_request() -> None:
    options = RequestOptions(
        num_graphs=4,
        num_nodes="5-9",
        target=["mu=2.5", " homo = -6 "],
        candidates=2,
        filter=[FilterCondition.VALID, FilterCondition.UNIQUE],
    )

    assert options.request_fields() == {
        "num_graphs": 4,
        "num_nodes": {"min": 5, "max": 9},
        "targets": {"mu": 2.5, "homo": -6.0},
        "candidates": 2,
        "filter": {"valid": True, "unique": True},
    }


def test_what_molecules_must_be_is_in_the_filter() -> None:
    options = RequestOptions(
        contains=["[OH]", "C=O"],
        lacks=["a"],
        where=["logp>1", "sa<4"],
        diverse=0.3,
        filter=[FilterCondition.CONNECTED],
        descriptors=True,
    )

    assert options.request_fields() == {
        "filter": {
            "connected": True,
            "properties": {"logp": {"min": 1.0}, "sa": {"max": 4.0}},
            "contains": ["[OH]", "C=O"],
            "lacks": ["a"],
            "diverse": 0.3,
        },
        "descriptors": True,
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"where": ["logp"]}, "like 'logp>1' or 'sa<=4', not 'logp'"),
        ({"num_nodes": "5-"}, "like 5-9, not '5-'"),
        ({"num_nodes": "-5"}, "like 5-9, not '-5'"),
        ({"target": ["mu"]}, "like mu=2.5, not 'mu'"),
        ({"target": ["mu=1", "mu=2"]}, "--target gives mu twice"),
        ({"guidance_scale": 1.0}, "--guidance-scale steers to a --target"),
        ({"candidates": 2}, "--candidates steers to a --target"),
    ],
)
def test_an_option_that_cannot_be_read_is_told_with_what_it_takes(options: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        RequestOptions(**options).request_fields()


def test_a_request_is_completed_from_the_card_and_is_conditional_if_it_has_targets() -> None:
    plain, steered = complete_request("qm9", seed=None), complete_request("qm9", targets={"mu": 2.5})

    assert type(plain) is CompletedRequest
    assert plain.num_steps > 0
    assert type(steered) is CompletedConditionalRequest
    assert steered.targets == {"mu": 2.5}
