import pytest
from rdkit import Chem

from models.molecules import (
    atom_type,
    atom_valence,
    bond_order,
    canonical_smiles,
    from_smiles,
    parse_atom_type,
    stable_atoms,
    to_molecule,
)


@pytest.mark.parametrize(
    ("label", "element", "charge"), [("C", "C", 0), ("N+", "N", 1), ("O-", "O", -1), ("Fe+2", "Fe", 2)]
)
def test_an_atom_type_is_an_element_with_its_charge(label: str, element: str, charge: int) -> None:
    assert parse_atom_type(label) == (element, charge)
    assert atom_type(element, charge) == label


@pytest.mark.parametrize("label", ["", "c", "C++", "+N", "Xx1"])
def test_anything_else_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="is not an atom type"):
        parse_atom_type(label)


def test_valences_count_the_bonds_of_the_isoelectronic_neutral_atom() -> None:
    valences = {label: atom_valence(label) for label in ("C", "N", "O", "F", "N+", "O-", "N-", "C-")}

    assert valences == {"C": 4, "N": 3, "O": 2, "F": 1, "N+": 4, "O-": 1, "N-": 2, "C-": 3}


def test_an_unknown_bond_is_refused() -> None:
    with pytest.raises(ValueError, match="'quadruple' is not a bond type"):
        bond_order("quadruple")


@pytest.mark.parametrize("smiles", ["C", "CCO", "c1ccccc1", "C#N", "[NH3+]CC(=O)[O-]", "N#[N+][N-]C", "C1CC1.O"])
def test_a_molecule_survives_the_way_to_a_graph_and_back(smiles: str) -> None:
    parsed = from_smiles(smiles)
    assert parsed is not None

    assert canonical_smiles(to_molecule(*parsed)) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


def test_nothing_is_repaired() -> None:
    five_bonds = to_molecule(["C", "O", "O", "O"], [(0, 1, "double"), (0, 2, "double"), (0, 3, "single")])

    assert canonical_smiles(five_bonds) is None


def test_unreadable_smiles_give_none() -> None:
    assert from_smiles("C1CC") is None


def test_an_atom_is_stable_with_as_many_bonds_as_its_type_has() -> None:
    methyl = [(0, 1, "single"), (0, 2, "single"), (0, 3, "single")]

    assert stable_atoms(["C", "H", "H", "H"], methyl) == [False, True, True, True]
    assert stable_atoms(["N", "H", "H", "H"], methyl) == [True] * 4
    assert stable_atoms(["O", "C", "H", "H"], [(0, 1, "double"), (1, 2, "single"), (1, 3, "single")]) == [True] * 4
