"""Molecules as graphs: atom and bond labels, and the way between a graph, an RDKit molecule and SMILES.

A node type is an element with its formal charge ("C", "N+", "O-"); an edge type is "none", "single", "double",
"triple" or "aromatic". Hydrogens stay implicit unless "H" is a node type: RDKit fills each atom up to its normal
valence. Where "H" is one, an atom has the hydrogens that are drawn and no others, so that one that lacks some is
a radical. Nothing is repaired: a graph that RDKit cannot sanitise exactly as drawn is not valid.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]  # an invalid sample is counted, not logged

BONDS: Final[Mapping[str, Chem.BondType]] = {
    "single": Chem.BondType.SINGLE,
    "double": Chem.BondType.DOUBLE,
    "triple": Chem.BondType.TRIPLE,
    "aromatic": Chem.BondType.AROMATIC,
}
_ORDERS: Final = {"none": 0.0, "single": 1.0, "double": 2.0, "triple": 3.0, "aromatic": 1.5}
_LABELS: Final = {bond: label for label, bond in BONDS.items()}
_ATOM = re.compile(r"([A-Z][a-z]?)(?:([+-])(\d?))?")


def parse_atom_type(label: str) -> tuple[str, int]:
    """The element and formal charge of a node type: "N+" is ("N", 1), "Fe+2" is ("Fe", 2).

    Raises:
        ValueError: if the label is not an element symbol with an optional charge.
    """
    match = _ATOM.fullmatch(label)
    if match is None:
        raise ValueError(f"{label!r} is not an atom type; write an element and its charge, like 'C', 'N+' or 'O-'")
    element, sign, amount = match.groups()
    charge = int(amount or 1) * (1 if sign == "+" else -1) if sign else 0
    return element, charge


def atom_type(element: str, charge: int) -> str:
    """The node type of an atom: the inverse of `parse_atom_type`."""
    if charge == 0:
        return element
    return f"{element}{'+' if charge > 0 else '-'}{abs(charge) if abs(charge) > 1 else ''}"


def atom_valence(label: str) -> int:
    """Bonds (orders summed) that an atom of this type normally has: that of the neutral atom with as many electrons."""
    element, charge = parse_atom_type(label)
    table = Chem.GetPeriodicTable()
    return max(table.GetDefaultValence(table.GetAtomicNumber(element) - charge), 0)


def stable_atoms(atom_types: Sequence[str], bonds: Sequence[tuple[int, int, str]]) -> list[bool]:
    """Whether the bonds of each atom, orders summed, are as many as its type has; hydrogens are drawn.

    Reference: Hoogeboom et al. 2022, EDM, arXiv:2203.17003, section 5.1
    """
    used = [0.0] * len(atom_types)
    for begin, end, label in bonds:
        used[begin] += bond_order(label)
        used[end] += bond_order(label)
    return [amount == atom_valence(label) for amount, label in zip(used, atom_types, strict=True)]


def atom_mass(label: str) -> float:
    """Standard atomic weight in daltons, without hydrogens."""
    return float(Chem.GetPeriodicTable().GetAtomicWeight(parse_atom_type(label)[0]))


def bond_order(label: str) -> float:
    """How many electron pairs a bond of this type shares.

    Raises:
        ValueError: if the label is not a bond type.
    """
    if label not in _ORDERS:
        raise ValueError(f"{label!r} is not a bond type; known are {', '.join(_ORDERS)}")
    return _ORDERS[label]


def to_molecule(
    atom_types: Sequence[str], bonds: Sequence[tuple[int, int, str]], *, hydrogens_are_drawn: bool = False
) -> Chem.RWMol:
    """The molecule exactly as drawn, not yet sanitised; `bonds` are (atom, atom, bond type)."""
    molecule = Chem.RWMol()
    for label in atom_types:
        element, charge = parse_atom_type(label)
        atom = Chem.Atom(element)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(hydrogens_are_drawn)
        molecule.AddAtom(atom)
    for begin, end, label in bonds:
        molecule.AddBond(begin, end, BONDS[label])
    return molecule


def canonical_smiles(molecule: Chem.Mol) -> str | None:
    """Canonical SMILES without stereochemistry, or None if RDKit cannot sanitise the molecule.

    Hydrogens that are atoms of their own become part of the atom they are bound to.
    """
    copy = Chem.Mol(molecule)
    try:
        Chem.SanitizeMol(copy)
        copy = Chem.RemoveHs(copy)
    except (ValueError, RuntimeError):
        return None
    Chem.RemoveStereochemistry(copy)
    return Chem.MolToSmiles(copy)


def from_smiles(smiles: str, *, draw_hydrogens: bool = False) -> tuple[list[str], list[tuple[int, int, str]]] | None:
    """Atom types and kekulised bonds of a molecule, or None if RDKit cannot read it; hydrogens stay implicit unless drawn.

    Raises:
        ValueError: if a bond is none of `BONDS`.
    """
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return None
    return from_molecule(Chem.AddHs(molecule) if draw_hydrogens else molecule)


def from_molecule(molecule: Chem.Mol) -> tuple[list[str], list[tuple[int, int, str]]]:
    """Atom types and kekulised bonds of a sanitised molecule.

    Raises:
        ValueError: if a bond is none of `BONDS`.
    """
    kekulised = Chem.Mol(molecule)
    Chem.Kekulize(kekulised, clearAromaticFlags=True)
    if unknown := [kind for bond in kekulised.GetBonds() if (kind := bond.GetBondType()) not in _LABELS]:
        smiles = Chem.MolToSmiles(molecule)
        raise ValueError(f"{smiles!r} has a bond of the type {unknown[0].name.lower()}; known are {', '.join(BONDS)}")
    atoms = [atom_type(atom.GetSymbol(), atom.GetFormalCharge()) for atom in kekulised.GetAtoms()]
    bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), _LABELS[bond.GetBondType()]) for bond in kekulised.GetBonds()
    ]
    return atoms, bonds


def num_hydrogens(molecule: Chem.Mol) -> list[int]:
    """How many hydrogens each atom has, those that its normal valence implies included."""
    molecule.UpdatePropertyCache(strict=False)
    return [atom.GetTotalNumHs() for atom in molecule.GetAtoms()]
