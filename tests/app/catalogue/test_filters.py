from typing import Any

import pytest

from app.catalogue.filters import check_filter
from app.http.errors import InvalidRequest
from app.schemas import GenerateRequest
from models.card.card import ModelCard
from tests.conftest import make_card

MOLECULES = make_card()
GRAPHS = make_card().model_copy(update={"domain": "graph"})
PLANAR = GRAPHS.model_copy(update={"validity": "planar"})
WITH_HYDROGENS = MOLECULES.model_copy(update={"node_types": ["C", "N", "O", "H"]})


def check(card: ModelCard, *, descriptors: bool = False, num_nodes: int | None = None, **conditions: Any) -> None:
    fields = {"model": "tiny", "filter": conditions, "descriptors": descriptors, "num_nodes": num_nodes}
    check_filter(GenerateRequest.model_validate(fields), card)


@pytest.mark.parametrize(
    ("card", "conditions"),
    [
        (MOLECULES, {"valid": True, "unique": True, "connected": True, "diverse": 0.3}),
        (MOLECULES, {"contains": ["C~C~C~C~C~C~C~C~C"], "lacks": ["[#7]" * 20]}),
        (MOLECULES, {"properties": {"heavy_atoms": {"min": 9}}, "similarity": {"smiles": "OC1CC1", "max": 0.5}}),
        (WITH_HYDROGENS, {"stable": True, "properties": {"heavy_atoms": {"max": 4}}}),
        (GRAPHS, {"connected": True}),
        (PLANAR, {"connected": True, "valid": True}),
    ],
)
def test_what_graphs_of_a_model_can_meet_is_accepted(card: ModelCard, conditions: dict[str, Any]) -> None:
    check(card, **conditions)


@pytest.mark.parametrize(
    ("card", "conditions", "field", "words"),
    [
        (GRAPHS, {"valid": True}, "filter", "only 'connected' can be asked"),
        (PLANAR, {"unique": True}, "filter", "only 'connected' and 'valid' can be asked"),
        (PLANAR, {"lacks": ["C"]}, "filter", "draws no molecules"),
        (PLANAR, {"stable": True}, "filter.stable", "does not draw hydrogens"),
        (MOLECULES, {"stable": True}, "filter.stable", "ask for 'valid' instead"),
        (MOLECULES, {"contains": ["CC", "C("]}, "filter.contains", "cannot read the SMARTS 'C('"),
        (MOLECULES, {"lacks": ["C>>N"]}, "filter.lacks", "cannot read the SMARTS 'C>>N'"),
        (MOLECULES, {"contains": ["C" * 10]}, "filter.contains", "has 10 atoms, and molecules of tiny have at most 9"),
        (
            MOLECULES,
            {"similarity": {"smiles": "C1CC", "min": 0.1}},
            "filter.similarity.smiles",
            "cannot read the SMILES 'C1CC'",
        ),
        (MOLECULES, {"properties": {"heavy_atoms": {"min": 10}}}, "filter.properties.heavy_atoms", "1 to 9"),
    ],
)
def test_what_none_of_them_can_meet_is_refused_in_words(
    card: ModelCard, conditions: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check(card, **conditions)

    (problem,) = refused.value.errors
    assert problem.field == field
    assert words in problem.detail


def test_descriptors_are_for_molecules() -> None:
    check(MOLECULES, descriptors=True)

    with pytest.raises(InvalidRequest, match="draws no molecules"):
        check(PLANAR, descriptors=True)
