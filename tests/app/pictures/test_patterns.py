import pytest

from app.http.errors import InvalidRequest
from app.pictures.patterns import pattern_sizes, require_molecule


def test_patterns_are_as_large_as_the_smallest_molecule_that_contains_them() -> None:
    assert pattern_sizes("filter.contains", ["C(=O)[OH]", "c1ccccc1"]) == [3, 6]
    assert pattern_sizes("filter.lacks", []) == []


def test_what_means_nothing_is_refused_under_its_field() -> None:
    with pytest.raises(InvalidRequest, match="SMARTS 'C1'") as pattern:
        pattern_sizes("filter.lacks", ["C", "C1"])
    with pytest.raises(InvalidRequest, match="SMILES 'C1'") as molecule:
        require_molecule("filter.similarity.smiles", "C1")

    require_molecule("filter.similarity.smiles", "CC(O)C=O")
    assert [refused.value.errors[0].field for refused in (pattern, molecule)] == [
        "filter.lacks",
        "filter.similarity.smiles",
    ]
