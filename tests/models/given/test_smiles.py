import pytest
from rdkit import Chem

from models.given.partial import GivenError
from models.given.smiles import parts_of_smiles
from models.molecules import canonical_smiles, to_molecule

ATOMS = ["C", "N", "O", "F", "N+", "O-"]
BONDS = ["none", "single", "double", "triple"]


def drawn(smiles: str, node_types: list[str] = ATOMS) -> list[str | None]:
    """The parts as molecules, with hydrogens where they are open."""
    found = []
    for part in parts_of_smiles(smiles, node_types, BONDS):
        atoms = [node_types[node] for node in part.nodes if node is not None]
        bonds = [(i, j, BONDS[category]) for (i, j), category in part.pairs.items() if category]
        found.append(canonical_smiles(to_molecule(atoms, bonds)))
    return found


def open_atoms(smiles: str, node_types: list[str] = ATOMS) -> list[str]:
    part = parts_of_smiles(smiles, node_types, BONDS)[0]
    return [node_types[node] for i, node in enumerate(part.nodes) if node is not None and i not in part.closed]


@pytest.mark.parametrize(
    "smiles", ["CCO", "c1ccccc1", "c1cc[nH]c1", "C1CC1", "C#CC=O", "C[N+](=O)[O-]", "c1ccc2ccccc2c1", "O=c1cc[nH]cc1"]
)
def test_a_part_is_its_molecule_in_every_form(smiles: str) -> None:
    assert set(drawn(smiles)) == {Chem.MolToSmiles(Chem.MolFromSmiles(smiles))}


@pytest.mark.parametrize(
    ("smiles", "number"), [("C1CCCCC1", 1), ("c1ccccc1", 2), ("c1cc[nH]c1", 1), ("c1ccc2ccccc2c1", 3), ("NC=O", 1)]
)
def test_there_are_as_many_forms_as_ways_to_place_the_double_bonds(smiles: str, number: int) -> None:
    forms = parts_of_smiles(smiles, ATOMS, BONDS)

    assert len({tuple(sorted(form.pairs.items())) for form in forms}) == number


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("*c1ccccc1", ["C"]),
        ("c1cc(*)ccc1*", ["C", "C"]),
        ("c1ccn(*)c1", ["N"]),
        ("CC(=O)N*", ["N"]),
        ("CC(=O)N", ["C", "N"]),  # by valence: neither the carbonyl's carbon nor its oxygen
        ("C*.OC(=O)*", ["C", "C"]),
        ("FC(F)(F)*", ["C"]),
    ],
)
def test_the_rest_may_attach_at_marks_or_else_wherever_there_is_a_hydrogen(smiles: str, expected: list[str]) -> None:
    assert open_atoms(smiles) == expected


def test_two_parts_are_apart() -> None:
    part = parts_of_smiles("C*.O*", ATOMS, BONDS)[0]

    assert part.nodes == (0, 2)
    assert part.pairs == {(0, 1): 0}


@pytest.mark.parametrize("smiles", ["[H]/N=C(/N)C*", "[2H]C([2H])([2H])O*", "C[C@H](O)*", "[13CH3]*", "F/C=C/*"])
def test_hydrogens_isotopes_and_stereochemistry_are_left_out(smiles: str) -> None:
    assert "H" not in {ATOMS[node] for node in parts_of_smiles(smiles, ATOMS, BONDS)[0].nodes if node is not None}


def test_where_hydrogens_are_drawn_those_of_closed_atoms_are_given() -> None:
    with_hydrogens = ["H", *ATOMS]

    part = parts_of_smiles("CCO*", with_hydrogens, BONDS)[0]

    assert sorted(with_hydrogens[node] for node in part.nodes if node is not None) == ["C", "C", *["H"] * 5, "O"]
    assert open_atoms("CCO*", with_hydrogens) == ["O"]
    assert len(parts_of_smiles("CCO", with_hydrogens, BONDS)[0]) == 3


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("c1ccccc", "no SMILES"),
        ("", "no atoms"),
        ("*", "no atoms"),
        ("**", "no atoms"),
        ("C*C", "one bond"),
        ("C=*", "single bond"),
        ("CC(C)(C)(C)C", "Explicit valence"),
        ("c1cccc1", "kekulize"),
        ("CS", "does not draw S; it draws C, N"),
        ("[CH2]C", "unpaired electron"),
        ("FC(F)(F)F", "no atom of this part has a hydrogen"),
        ("C" * 1001, "1001 characters"),
        ("C->[O-]", "dative"),
    ],
)
def test_what_no_graph_can_have_is_refused_in_words(smiles: str, message: str) -> None:
    with pytest.raises(GivenError, match=message):
        parts_of_smiles(smiles, ATOMS, BONDS)
