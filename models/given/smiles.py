"""A part of a molecule, written as SMILES.

    c1ccccc1*       the carbon beside * may have further bonds, the others have none
    c1ccccc1        any atom may, as far as its valence allows
    C1CC1*.OC(=O)*  two parts, to be linked by what is drawn

Aromatic rings become alternating single and double bonds, since this is how the models draw them. There are several ways to place
them, which graph after graph takes in turn. Stereochemistry and isotopes are left out: a graph has neither.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

from rdkit import Chem

from models.given.partial import GivenError, PartialGraph
from models.molecules import BONDS, atom_type

NOTHING_OPEN = "no atom of this part has a hydrogen to replace, so nothing can be drawn around it"
_LONGEST = 1_000
_MOST_FORMS = 8
_LABELS: Mapping[Chem.BondType, str] = {bond: label for label, bond in BONDS.items()}


def parts_of_smiles(smiles: str, node_types: Sequence[str], edge_types: Sequence[str]) -> list[PartialGraph]:
    """The part that a SMILES names, in each way to place its double bonds (at most eight), over a model's vocabulary.

    Where "H" is a node type, the hydrogens of closed atoms are given, too.

    Raises:
        GivenError: if it is no SMILES, has an atom or bond that the model does not draw, or leaves no place for the rest.
    """
    molecule = read_molecule(smiles)
    if "H" in node_types:
        molecule = _with_hydrogens_of_closed_atoms(molecule)
    atoms = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 0]
    if not atoms:
        raise GivenError(f"{smiles!r} has no atoms; write a part like 'c1ccccc1*'")
    open_atoms = _open_atoms(molecule)
    place = {atom: i for i, atom in enumerate(atoms)}
    nodes = tuple(_category(molecule.GetAtomWithIdx(atom), node_types) for atom in atoms)
    closed = frozenset(place[atom] for atom in atoms if atom not in open_atoms)
    return [
        PartialGraph(nodes, _pairs(form, place, edge_types), closed) for form in _kekule_forms(molecule)[:_MOST_FORMS]
    ]


def graph_of_smiles(smiles: str, node_types: Sequence[str], edge_types: Sequence[str]) -> PartialGraph:
    """A whole molecule as a graph, known in all its nodes and pairs.

    Raises:
        GivenError: if it is no SMILES of a molecule that the model draws.
    """
    molecule = read_molecule(smiles)
    if any(atom.GetAtomicNum() == 0 for atom in molecule.GetAtoms()):
        raise GivenError("a whole molecule has no *; give a part to keep in `given`")
    if "H" in node_types:
        molecule = Chem.AddHs(molecule)
    nodes = tuple(_category(atom, node_types) for atom in molecule.GetAtoms())
    if not nodes:
        raise GivenError("no atoms; write a molecule like 'CC(=O)Nc1ccccc1'")
    place = {i: i for i in range(len(nodes))}
    return PartialGraph(nodes, _pairs(_kekule_forms(molecule)[0], place, edge_types))


def read_molecule(smiles: str) -> Chem.Mol:
    """The sanitised molecule, with its `*`, without hydrogens of their own, stereochemistry and isotopes.

    Raises:
        GivenError: if it is no SMILES, or no molecule can contain it.
    """
    if len(smiles) > _LONGEST:
        raise GivenError(f"a SMILES of {len(smiles)} characters; at most {_LONGEST}")
    molecule = Chem.MolFromSmiles(smiles, sanitize=False)
    if molecule is None:
        raise GivenError(
            f"{smiles[:80]!r} is no SMILES; write a part like 'c1ccccc1*', with * where the rest may attach"
        )
    if problems := Chem.DetectChemistryProblems(molecule):
        raise GivenError(f"no molecule can contain {smiles[:80]!r}: {problems[0].Message()}")
    Chem.SanitizeMol(molecule)
    Chem.RemoveStereochemistry(molecule)
    for atom in molecule.GetAtoms():
        atom.SetIsotope(0)
    molecule = Chem.RemoveHs(molecule)
    for atom in molecule.GetAtoms():
        if atom.GetNumRadicalElectrons():
            raise GivenError(
                f"{atom.GetSymbol()} (atom {atom.GetIdx() + 1}) has an unpaired electron; write it with its hydrogens, or with * for open bonds"
            )
    return molecule


def marked_atoms(molecule: Chem.Mol) -> set[int]:
    """The neighbours of all `*`.

    Raises:
        GivenError: if a `*` has not one single bond, to an atom.
    """
    marks = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
    for mark in marks:
        bonds = mark.GetBonds()
        if len(bonds) != 1 or bonds[0].GetOtherAtom(mark).GetAtomicNum() == 0:
            raise GivenError("each * must have one bond, to an atom of the part")
        if bonds[0].GetBondType() != Chem.BondType.SINGLE:
            raise GivenError("write * with a single bond: it says where the rest may attach, by any kind of bond")
    return {neighbour.GetIdx() for mark in marks for neighbour in mark.GetNeighbors()}


def _open_atoms(molecule: Chem.Mol) -> set[int]:
    """Those that `*` marks; without any, the atoms with a hydrogen to replace."""
    if marked := marked_atoms(molecule):
        return marked
    free = {atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetTotalNumHs()}
    if not free:
        raise GivenError(NOTHING_OPEN)
    return free


def _with_hydrogens_of_closed_atoms(molecule: Chem.Mol) -> Chem.Mol:
    if not any(atom.GetAtomicNum() == 0 for atom in molecule.GetAtoms()):
        return molecule
    open_atoms = _open_atoms(molecule)
    closed = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetIdx() not in open_atoms and atom.GetAtomicNum()]
    return Chem.AddHs(molecule, onlyOnAtoms=closed)


def _category(atom: Chem.Atom, node_types: Sequence[str]) -> int:
    label = atom_type(atom.GetSymbol(), atom.GetFormalCharge())
    if label not in node_types:
        raise GivenError(f"the model does not draw {label}; it draws {', '.join(node_types)}")
    return node_types.index(label)


def _kekule_forms(molecule: Chem.Mol) -> list[Chem.Mol]:
    """The molecule with single, double and triple bonds alone, in every way that leaves all charges where they are."""
    first = Chem.Mol(molecule)
    Chem.Kekulize(first, clearAromaticFlags=True)
    if not any(atom.GetIsAromatic() for atom in molecule.GetAtoms()):
        return [first]
    supplier = Chem.ResonanceMolSupplier(molecule, Chem.KEKULE_ALL, 64)
    charges = [atom.GetFormalCharge() for atom in molecule.GetAtoms()]
    outside = [bond.GetIdx() for bond in molecule.GetBonds() if not bond.GetIsAromatic()]
    forms = {_orders(first): first}
    for form in supplier:
        if form is None or [atom.GetFormalCharge() for atom in form.GetAtoms()] != charges:
            continue
        orders = _orders(form)
        if Chem.BondType.AROMATIC in orders or any(orders[bond] != _orders(first)[bond] for bond in outside):
            continue
        forms.setdefault(orders, form)
    return list(forms.values())


def _orders(molecule: Chem.Mol) -> tuple[Chem.BondType, ...]:
    return tuple(bond.GetBondType() for bond in molecule.GetBonds())


def _pairs(form: Chem.Mol, place: Mapping[int, int], edge_types: Sequence[str]) -> dict[tuple[int, int], int]:
    """Every pair of the part: bonds, and no edge between the others."""
    pairs = dict.fromkeys(combinations(range(len(place)), 2), 0)
    for bond in form.GetBonds():
        ends = [place.get(bond.GetBeginAtomIdx()), place.get(bond.GetEndAtomIdx())]
        if None in ends:
            continue
        label = _LABELS.get(bond.GetBondType(), str(bond.GetBondType()).lower())
        if label not in edge_types:
            raise GivenError(f"the model does not draw {label} bonds; it draws {', '.join(edge_types[1:])}")
        low, high = sorted(end for end in ends if end is not None)
        pairs[low, high] = edge_types.index(label)
    return pairs
