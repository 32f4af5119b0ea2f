import networkx as nx
import pytest
import torch
from rdkit import Chem
from torch import Tensor

from models.features.cycles import cycle_counts, six_cycles
from models.features.molecular import MolecularFeature
from models.features.random_walks import random_walks
from models.features.resistance import resistance, resistance_distance
from models.features.spectrum import spectrum
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


@pytest.mark.parametrize("seed", range(25))
def test_cycles_of_six_are_those_found_by_enumeration(seed: int) -> None:
    graph = nx.gnp_random_graph(9, 0.15 + 0.03 * seed, seed=seed)

    expected = sum(len(cycle) == 6 for cycle in nx.simple_cycles(graph, length_bound=6))

    assert six_cycles(adjacency(graph)).tolist() == [expected]


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
    features = MolecularFeature(node_types, edge_types, max_nodes=9)

    per_atom, weight = features.charge_valency_weight(
        nodes, torch.eye(4)[orders][None], torch.ones(1, len(atoms), dtype=torch.bool)
    )

    molecule = Chem.MolFromSmiles(smiles)
    hydrogens = [atom.GetTotalNumHs() for atom in molecule.GetAtoms()]
    assert (4 * per_atom[0, :, 0]).round().int().tolist() == hydrogens
    mass = sum(atom.GetMass() for atom in molecule.GetAtoms())
    assert weight.item() * 9 * 18.998 == pytest.approx(mass, rel=1e-3)


def real(num_nodes: int) -> Tensor:
    return torch.ones(1, num_nodes, dtype=torch.bool)


def test_components_are_counted_and_the_largest_is_known() -> None:
    graph = nx.disjoint_union_all([nx.cycle_graph(4), nx.path_graph(3), nx.empty_graph(1)])

    found = spectrum(adjacency(graph), real(8), 2)

    assert found.components.item() == pytest.approx(3 / 8)
    assert found.not_largest[0, :, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("graph", [nx.path_graph(400), nx.cycle_graph(500), nx.ladder_graph(300)])
def test_a_long_graph_is_one_component_however_near_zero_its_lowest_eigenvalue(graph: nx.Graph) -> None:
    found = spectrum(adjacency(graph), real(len(graph)), 1)

    assert found.components.item() == pytest.approx(1 / len(graph))
    assert not found.not_largest.any()


def test_the_halves_of_a_barbell_have_opposite_signs_in_its_lowest_eigenvector() -> None:
    left = torch.arange(300) < 150

    projection = spectrum(adjacency(nx.barbell_graph(150, 0)), real(300), 1).projections[0, ..., 0]

    assert (projection[left][:, left] > 0).all()
    assert (projection[left][:, ~left] < 0).all()


def test_leaves_of_a_large_graph_belong_to_it() -> None:
    graph = nx.gnp_random_graph(300, 0.3, seed=1)
    graph.add_edges_from((node, 300 + node) for node in range(40))

    found = spectrum(adjacency(graph), real(340), 1)

    assert found.components.item() == pytest.approx(1 / 340)
    assert not found.not_largest.any()


def test_eigenvalues_are_the_lowest_above_zero() -> None:
    graph = nx.connected_watts_strogatz_graph(12, 4, 0.3, seed=2)
    expected = sorted(nx.normalized_laplacian_spectrum(graph))

    found = spectrum(adjacency(graph), real(12), 14)

    assert found.eigenvalues[0, :11].tolist() == pytest.approx(expected[1:], abs=1e-5)
    assert found.eigenvalues[0, 11:].tolist() == [2, 2, 2]
    assert not found.projections[..., 11:].any()


def test_projections_are_eigenvectors_without_their_signs() -> None:
    graph = nx.path_graph(7)  # no eigenvalue twice
    _, vectors = torch.linalg.eigh(torch.from_numpy(nx.normalized_laplacian_matrix(graph).toarray()).float())

    found = spectrum(adjacency(graph), real(7), 3)

    for k in range(3):
        expected = 7 * torch.outer(vectors[:, k + 1], vectors[:, k + 1])
        torch.testing.assert_close(found.projections[0, ..., k], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("graph", [nx.cycle_graph(8), nx.petersen_graph(), nx.star_graph(6)])
def test_eigenvectors_of_one_eigenvalue_do_not_depend_on_the_order_of_nodes_or_on_padding(graph: nx.Graph) -> None:
    size = len(graph)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(1))
    renamed = adjacency(graph)[:, order][:, :, order]
    padded = torch.nn.functional.pad(adjacency(graph), (0, 5, 0, 5))
    mask = torch.arange(size + 5)[None] < size

    plain, moved, wide = (
        spectrum(one, two, 3) for one, two in ((adjacency(graph), real(size)), (renamed, real(size)), (padded, mask))
    )

    torch.testing.assert_close(moved.projections, plain.projections[:, order][:, :, order], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(wide.projections[:, :size, :size], plain.projections, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(wide.eigenvalues, plain.eigenvalues, atol=1e-4, rtol=1e-4)
    assert not wide.projections[:, size:].any()


@pytest.mark.parametrize("seed", range(5))
def test_resistances_are_networkx_own(seed: int) -> None:
    graph = nx.connected_watts_strogatz_graph(14, 4, 0.3, seed=seed)
    known = nx.resistance_distance(graph)
    expected = torch.tensor([[known[i][j] for j in graph] for i in graph]).float()

    distance, together = resistance_distance(adjacency(graph), real(14))

    torch.testing.assert_close(distance[0], expected, atol=1e-4, rtol=1e-4)
    assert together.all()


def test_in_a_tree_resistance_is_the_length_of_the_path_and_a_long_path_is_no_gap() -> None:
    graph = nx.path_graph(200)

    distance, together = resistance_distance(adjacency(graph), real(200))

    assert distance[0, 0].tolist() == pytest.approx(list(range(200)), abs=0.05)
    assert together.all()


def test_what_hangs_together_and_what_closes_a_cycle_is_known() -> None:
    graph = nx.disjoint_union_all([nx.cycle_graph(5), nx.path_graph(3), nx.empty_graph(1)])
    padded = torch.nn.functional.pad(adjacency(graph), (0, 4, 0, 4))
    mask = torch.arange(13)[None] < 9

    found, wide = resistance(adjacency(graph), real(9)), resistance(padded, mask)

    assert found.nodes[0, :, 0].tolist() == pytest.approx([5 / 9] * 5 + [3 / 9] * 3 + [1 / 9])
    assert found.graph[0].tolist() == pytest.approx([3 / 9, 1 / 9])
    assert found.pairs[0, 0, 1, 1].item() == pytest.approx(0.8, abs=1e-3)  # on a cycle of five
    assert found.pairs[0, 5, 6, 1].item() == pytest.approx(1, abs=1e-3)  # a bridge
    assert not found.pairs[0, 0, 5].any()
    torch.testing.assert_close(wide.pairs[:, :9, :9], found.pairs)
    assert not wide.pairs[:, 9:].any()
    torch.testing.assert_close(wide.graph, found.graph)
