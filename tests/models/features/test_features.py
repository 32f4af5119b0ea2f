import networkx as nx
import pytest
import torch
from rdkit import Chem
from torch import Tensor

from models.features.cycles import cycle_counts
from models.features.molecular import MolecularFeatures
from models.features.random_walks import random_walks
from models.molecules import from_smiles


def adjacency(graph: nx.Graph) -> Tensor:
    return torch.from_numpy(nx.to_numpy_array(graph)).float()[None]


@pytest.mark.parametrize("seed", range(25))
def test_cycle_counts_are_those_found_by_enumeration(seed: int) -> None:
    graph = nx.gnp_random_graph(9, 0.2 + 0.03 * seed, seed=seed)
    expected = torch.zeros(9, 3)
    for cycle in nx.simple_cycles(graph, length_bound=5):
        expected[cycle, len(cycle) - 3] += 1

    assert torch.equal(cycle_counts(adjacency(graph))[0], expected)


def test_random_walks_return_as_often_as_the_transition_matrix_says() -> None:
    graph = nx.connected_watts_strogatz_graph(8, 4, 0.4, seed=1)
    walk = adjacency(graph)[0] / adjacency(graph)[0].sum(-1, keepdim=True)

    walks = random_walks(adjacency(graph), 5)[0]

    power = torch.eye(8)
    for k in range(5):
        power = power @ walk
        torch.testing.assert_close(walks[..., k].diagonal(), power.diagonal())
        torch.testing.assert_close(walks[..., k], (power * power.T).sqrt())


def test_an_isolated_node_goes_nowhere() -> None:
    walks = random_walks(torch.zeros(1, 3, 3), 4)

    assert not walks.any()


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
    features = MolecularFeatures(node_types, edge_types, max_nodes=9)

    per_atom, weight = features(nodes, torch.eye(4)[orders][None], torch.ones(1, len(atoms), dtype=torch.bool))

    molecule = Chem.MolFromSmiles(smiles)
    hydrogens = [atom.GetTotalNumHs() for atom in molecule.GetAtoms()]
    assert (4 * per_atom[0, :, 0]).round().int().tolist() == hydrogens
    mass = sum(atom.GetMass() for atom in molecule.GetAtoms())
    assert weight.item() * 9 * 18.998 == pytest.approx(mass, rel=1e-3)
