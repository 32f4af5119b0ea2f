from typing import Any

import pytest
from pydantic import ValidationError

from app.schemas import CompletedRequest, GenerateRequest, JobStatus, Priority, SizeRange


def request(**fields: Any) -> GenerateRequest:
    return GenerateRequest.model_validate({"model": "tiny", **fields})


@pytest.mark.parametrize(
    ("num_nodes", "sizes"), [(None, range(1, 10)), (4, range(4, 5)), ({"min": 3, "max": 6}, range(3, 7))]
)
def test_sizes_are_those_asked_for_or_all_of_the_model(num_nodes: Any, sizes: range) -> None:
    assert request(num_nodes=num_nodes).size_range(9) == sizes


@pytest.mark.parametrize(
    "fields",
    [
        {"num_graphs": "3"},
        {"num_graphs": 2.5},
        {"num_graphs": True},
        {"num_nodes": [5, 9]},
        {"num_nodes": {"min": 5}},
        {"seed": -1},
        {"seed": 2**53},
        {"keep_frames": 201},
        {"colour": "red"},
        {"priority": "urgent"},
    ],
)
def test_a_field_of_another_kind_or_beyond_its_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**fields)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert request(num_graphs=3.0, num_nodes={"min": 3.0, "max": 4.0}).num_nodes == SizeRange(min=3, max=4)


def test_a_range_that_is_empty_is_refused() -> None:
    with pytest.raises(ValidationError, match="min = 7 must not exceed max = 5"):
        SizeRange(min=7, max=5)


def test_a_completed_request_has_all_that_determines_its_graphs() -> None:
    with pytest.raises(ValidationError) as error:
        CompletedRequest.model_validate({"model": "tiny"})

    assert {mistake["loc"][0] for mistake in error.value.errors()} == {"seed", "sampler", "num_steps"}


def test_three_statuses_are_final_and_weights_fall_with_the_priority() -> None:
    assert [status for status in JobStatus if status.is_final] == ["succeeded", "failed", "canceled"]
    assert Priority.HIGH.weight > Priority.NORMAL.weight > Priority.LOW.weight > 0
