from typing import Any

import pytest

from app.schemas import CompletedRequest
from tests.worker.results.conftest import make_graph
from worker.results.variety import Diverse, Unique, varieties


def wanted(**filters: Any) -> list[str]:
    fields = {"model": "tiny", "seed": 1, "sampler": "mixed", "num_steps": 5, "filter": filters}
    return [variety.reason for variety in varieties(CompletedRequest.model_validate(fields))]


def test_only_what_is_asked_for_is_required() -> None:
    assert wanted() == []
    assert wanted(unique=True, diverse=0.4) == ["unique", "diverse"]


def test_a_molecule_is_unique_once() -> None:
    unique = Unique()
    unique.add(make_graph("CCO"))

    assert [unique.admits(make_graph(smiles)) for smiles in ("CCO", "CCN", None)] == [False, True, True]


@pytest.mark.parametrize(("distance", "admitted"), [(0.01, True), (0.2, True), (0.9, False)])
def test_molecules_are_diverse_by_the_nearest_that_was_kept(distance: float, admitted: bool) -> None:
    diverse = Diverse(distance)
    diverse.add(make_graph("c1ccccc1"))
    diverse.add(make_graph("CCCCO"))

    assert diverse.admits(make_graph("CCCCCO")) == admitted
    assert not diverse.admits(make_graph("CCCCO"))
    assert diverse.admits(make_graph(None))
