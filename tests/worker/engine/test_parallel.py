from collections.abc import Sequence

import pytest
import torch

from models.generation import Cohort, advance
from tests.worker.engine.batches import batches_of
from tests.worker.engine.conftest import SMALL, collected, drawn_alone, ended, make_guided, make_request
from worker.engine import parallel
from worker.engine.engine import Engine
from worker.engine.job import TooLarge
from worker.store import ModelStore

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def test_a_step_that_memory_cannot_hold_is_made_smaller(
    store: ModelStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = drawn_alone(store, make_request(40))
    sizes = []

    def advance_a_few(cohorts: Sequence[Cohort]) -> list[Cohort]:
        if sum(cohort.cost for cohort in cohorts) > 300:
            raise torch.OutOfMemoryError("out of memory")
        sizes.append(len(cohorts))
        return advance(cohorts)

    monkeypatch.setattr(parallel, "advance", advance_a_few)

    assert collected(batches_of(engine.submit(make_request(40)))) == expected
    assert max(sizes) > 1
    assert engine.prepare("tiny").largest < SMALL.largest
    # Nine networks' worth of a single graph.
    assert isinstance(ended(engine.submit(make_guided(2))), TooLarge)
