"""A slice of `make fuzz`, small enough for every run of the slow tests."""

from pathlib import Path

import pytest

from tests.fuzz.run import fuzz


@pytest.mark.slow
def test_every_answer_of_the_running_service_is_one_that_its_document_tells_of(tmp_path: Path) -> None:
    outcome = fuzz(tmp_path, seed=0, examples=12, cases=250, phases=("examples", "fuzzing", "stateful"))

    assert outcome.failures == []
    assert outcome.cases >= 250
