from collections import Counter

import pytest

from models.given.formula import Formula, parse_formula, with_formula
from models.given.partial import GivenError, PartialGraph
from models.given.smiles import parts_of_smiles

ATOMS = ["C", "N", "O", "N+"]
NOTHING = PartialGraph((), {})


@pytest.mark.parametrize(
    ("text", "heavy", "hydrogens"),
    [
        ("C7NO2", {"C": 7, "N": 1, "O": 2}, None),
        ("C7H9NO2", {"C": 7, "N": 1, "O": 2}, 9),
        ("CO2", {"C": 1, "O": 2}, None),
        ("CHOCH3", {"C": 2, "O": 1}, 4),
        ("C6H6", {"C": 6}, 6),
        ("C2H5Cl", {"C": 2, "Cl": 1}, 5),
    ],
)
def test_a_formula_counts_atoms(text: str, heavy: dict[str, int], hydrogens: int | None) -> None:
    assert parse_formula(text) == Formula(heavy, hydrogens)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c7", "no formula"),
        ("", "no formula"),
        ("C7+", "no formula"),
        ("H2", "no atom but hydrogen"),
        ("C7H99", "at most 16 hydrogens"),
        ("C6H7", "is even"),
        ("C6H6N", "is odd"),
        ("Xx2H2", "does not exist"),
    ],
)
def test_what_no_molecule_has_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(GivenError, match=message):
        parse_formula(text)


def test_all_atoms_are_given_and_all_pairs_open() -> None:
    given = with_formula(NOTHING, parse_formula("C7NO2"), ATOMS)

    assert Counter(ATOMS[node] for node in given.nodes if node is not None) == {"C": 7, "N": 1, "O": 2}
    assert given.pairs == {}


def test_beside_a_part_only_the_further_atoms_are_added_and_closed_nodes_stay_closed() -> None:
    part = parts_of_smiles("NC(=O)*", ATOMS, ["none", "single", "double"])[0]

    given = with_formula(part, parse_formula("C3NO2"), ATOMS)

    assert given.nodes[:3] == part.nodes
    assert Counter(given.nodes) == {0: 3, 1: 1, 2: 2}
    assert given.pairs[0, 5] == 0
    assert (1, 5) not in given.pairs


@pytest.mark.parametrize(
    ("text", "message"), [("C2S", "does not draw S; it draws C, N, O"), ("C2N", "the part has 1 O, and the formula 0")]
)
def test_what_does_not_fit_the_model_or_the_part_is_refused_in_words(text: str, message: str) -> None:
    part = parts_of_smiles("C=O", ATOMS, ["none", "single", "double"])[0]

    with pytest.raises(GivenError, match=message):
        with_formula(part, parse_formula(text), ATOMS)


def test_where_hydrogens_are_drawn_the_formula_names_them() -> None:
    with pytest.raises(GivenError, match="must name them"):
        with_formula(NOTHING, parse_formula("C2"), ["H", *ATOMS])
    assert len(with_formula(NOTHING, parse_formula("C2H6"), ["H", *ATOMS])) == 8
