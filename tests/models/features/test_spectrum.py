import networkx as nx
import pytest
import torch
from torch import Tensor

from models.features.spectrum import spectrum


def adjacency(graph: nx.Graph) -> Tensor:
    return torch.from_numpy(nx.to_numpy_array(graph)).float()[None]


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
