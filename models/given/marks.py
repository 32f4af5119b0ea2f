"""Which atoms of a molecule are kept, and where the rest may attach: from SMILES to a choice, and back to SMILES with `*`.

Atoms are numbered from 0 as the SMILES names them, less `*` and hydrogens. An atom is open where `*` marks it or where it loses a
neighbour that is not kept; if there is no such atom, all with a hydrogen are. A caller may open and close further ones.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rdkit import Chem

from models.given.partial import GivenError
from models.given.smiles import NOTHING_OPEN, marked_atoms, read_molecule

_MOST_ATOMS = 200


@dataclass(frozen=True)
class MarkedMolecule:
    """A sanitised molecule without `*`, and the atoms that had one."""

    molecule: Chem.Mol
    marked: frozenset[int]


@dataclass(frozen=True)
class AtomChoice:
    """Of the atoms that are kept: those that are open, and those that could be."""

    kept: frozenset[int]
    open: frozenset[int]
    can_open: frozenset[int]
    smiles: str | None
    """The part, with `*` on each open atom; None if no atom is kept or open."""
    problem: str | None = None
    """Why there is no SMILES."""


def read_marked(smiles: str) -> MarkedMolecule:
    """The molecule, or part of one, that a SMILES names.

    Raises:
        GivenError: if it is no SMILES, or has over 200 atoms.
    """
    molecule = read_molecule(smiles)
    marked = marked_atoms(molecule)
    marks = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
    if not 0 < molecule.GetNumAtoms() - len(marks) <= _MOST_ATOMS:
        raise GivenError(f"write a part of 1 to {_MOST_ATOMS} atoms, like 'c1ccccc1*'")
    place = {atom: i for i, atom in enumerate(a for a in range(molecule.GetNumAtoms()) if a not in set(marks))}
    bare = _without(_kekulised(molecule), marks)
    Chem.SanitizeMol(bare)
    return MarkedMolecule(bare, frozenset(place[atom] for atom in marked))


def choose(
    source: MarkedMolecule,
    keep: Collection[int] | None = None,
    *,
    opened: Collection[int] = (),
    closed: Collection[int] = (),
) -> AtomChoice:
    """The part that keeps some atoms (None: all); `opened` and `closed` go before what the molecule says.

    Raises:
        GivenError: if there is no such atom, or one that is to be opened has no hydrogen to replace; `field` is the argument.
    """
    count = source.molecule.GetNumAtoms()
    for name, numbers in {"keep": keep or (), "open": opened, "closed": closed}.items():
        _check_numbers(numbers, count, name)
    kept = frozenset(range(count) if keep is None else keep)
    if not kept:
        return AtomChoice(kept, frozenset(), frozenset(), None)
    part, cut = _cut(source.molecule, kept)
    can_open = frozenset(atom for atom in kept if part.GetAtomWithIdx(atom).GetTotalNumHs() > 0)
    if wrong := sorted((set(opened) & kept) - can_open):
        raise _about("open", f"atom {wrong[0]} has no hydrogen to replace; close it, or leave out a neighbour")
    named = (source.marked & kept) | cut
    chosen = frozenset((((named or can_open) & can_open) | (set(opened) & kept)) - set(closed))
    if not chosen:
        words = "no atom is open; open one, where the rest may attach" if can_open else NOTHING_OPEN
        return AtomChoice(kept, chosen, can_open, None, words)
    # Without any mark all are open.
    marks = chosen if named or chosen != can_open else ()
    return AtomChoice(kept, chosen, can_open, _write(part, kept, marks))


def _kekulised(molecule: Chem.Mol) -> Chem.RWMol:
    editable = Chem.RWMol(molecule)
    Chem.Kekulize(editable, clearAromaticFlags=True)
    return editable


def _cut(molecule: Chem.Mol, kept: Collection[int]) -> tuple[Chem.RWMol, frozenset[int]]:
    """The molecule without bonds of atoms that are not kept, atoms numbered as before; and the kept ones that lost a bond."""
    editable = _kekulised(molecule)
    cut = set()
    for bond in list(editable.GetBonds()):
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        lost = [end for end in ends if end in kept]
        if len(lost) < len(ends):
            editable.RemoveBond(*ends)
            for end in lost:
                _fill_with_hydrogens(editable.GetAtomWithIdx(end))
                cut.add(end)
    editable.UpdatePropertyCache(strict=False)
    return editable, frozenset(cut)


def _without(molecule: Chem.RWMol, atoms: Iterable[int]) -> Chem.RWMol:
    """The molecule less some atoms, with hydrogens in their place."""
    molecule.BeginBatchEdit()
    for atom in atoms:
        for neighbour in molecule.GetAtomWithIdx(atom).GetNeighbors():
            _fill_with_hydrogens(neighbour)
        molecule.RemoveAtom(atom)
    molecule.CommitBatchEdit()
    return molecule


def _write(part: Chem.RWMol, kept: Collection[int], marked: Collection[int]) -> str:
    written = Chem.RWMol(part)
    for number in sorted(marked):
        atom = written.GetAtomWithIdx(number)
        # Its mark takes the place of a hydrogen.
        atom.SetNumExplicitHs(max(atom.GetNumExplicitHs() - 1, 0))
        written.AddBond(number, written.AddAtom(Chem.Atom(0)), Chem.BondType.SINGLE)
    left_out = [number for number in range(part.GetNumAtoms()) if number not in kept]
    _without(written, left_out)
    Chem.SanitizeMol(written)
    return Chem.MolToSmiles(written)


def _fill_with_hydrogens(atom: Chem.Atom) -> None:
    atom.SetNumExplicitHs(0)
    atom.SetNumRadicalElectrons(0)
    atom.SetNoImplicit(False)


def _check_numbers(numbers: Iterable[int], count: int, field: str) -> None:
    for number in numbers:
        if not 0 <= number < count:
            raise _about(field, f"there is no atom {number}; atoms are numbered from 0 to {count - 1}")


def _about(field: str, message: str) -> GivenError:
    error = GivenError(message)
    error.field = field
    return error
