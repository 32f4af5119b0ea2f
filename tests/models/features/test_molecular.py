import pytest
import torch
from rdkit import Chem

from models.features.molecular import MolecularFeature
from models.molecules import from_smiles


@pytest.mark.parametrize("smiles", ["CCO", "C#N", "OC(=O)C1CC1", "[NH3+]CC([O-])=O", "FC(F)F"])
def test_charge_counts_the_missing_hydrogens_and_weight_the_heavy_atoms(smiles: str) -> None:
    node_types, edge_types = ["C", "N", "O", "F", "N+", "O-"], ["none", "single", "double", "triple"]
    parsed = from_smiles(smiles)
    assert parsed is not None
    atoms, bonds = parsed
    nodes = torch.eye(6)[[node_types.index(label) for label in atoms]][None]
    orders = torch.zeros(len(atoms), len(atoms), dtype=torch.long)
    for begin, end, label in bonds:
        orders[begin, end] = orders[end, begin] = edge_types.index(label)
    features = MolecularFeature(node_types, edge_types, max_nodes=9)

    per_atom, weight = features.charge_valency_weight(
        nodes, torch.eye(4)[orders][None], torch.ones(1, len(atoms), dtype=torch.bool)
    )

    molecule = Chem.MolFromSmiles(smiles)
    hydrogens = [atom.GetTotalNumHs() for atom in molecule.GetAtoms()]
    assert (4 * per_atom[0, :, 0]).round().int().tolist() == hydrogens
    mass = sum(atom.GetMass() for atom in molecule.GetAtoms())
    assert weight.item() * 9 * 18.998 == pytest.approx(mass, rel=1e-3)
