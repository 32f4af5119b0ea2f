from typing import Any

import pytest

from models.generation import Generation
from tests.worker.engine.batches import batches_of
from tests.worker.engine.conftest import collected, ended, make_request
from worker.engine.engine import Engine
from worker.store import ModelStore

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def test_an_error_at_the_beginning_or_the_end_of_graphs_is_that_jobs_own(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_three(generation: Generation, *arguments: Any, **options: Any) -> Any:
        if generation.plan.num_graphs == 3:
            raise RuntimeError("out of order")
        return original(generation, *arguments, **options)

    for method in ("start", "finish"):
        original = getattr(Generation, method)
        with monkeypatch.context() as patch:
            patch.setattr(Generation, method, fail_for_three)
            bad, good = engine.submit(make_request(3)), engine.submit(make_request(5))

            assert str(ended(bad)) == "out of order"
            assert len(collected(batches_of(good))) == 5
    assert engine.is_running


def test_an_error_in_a_step_ends_the_jobs_in_it_and_no_other(
    store: ModelStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = store.model("other")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(broken.denoiser, "forward", fail)
    bad, good = engine.submit(make_request(model="other")), engine.submit(make_request())

    assert str(ended(bad)) == "out of order"
    assert len(collected(batches_of(good))) == 5
    assert len(collected(batches_of(engine.submit(make_request())))) == 5
