import pytest
import torch

from models.networks.layout import edge_layout


def test_pairs_to_square_and_back_is_nothing() -> None:
    layout = edge_layout("pairs", 5, torch.device("cpu"))
    pairs = torch.randn(2, 10, 3)

    square = layout.to_square(pairs)

    assert torch.equal(square, square.transpose(1, 2))
    assert not square.diagonal(dim1=1, dim2=2).any()
    torch.testing.assert_close(layout.from_square(square), pairs)


def test_both_layouts_name_the_same_pairs() -> None:
    pairs, matrix = (edge_layout(kind, 4, torch.device("cpu")) for kind in ("pairs", "matrix"))
    nodes, mask = torch.randn(1, 4, 3), torch.rand(1, 4, 4) > 0.5
    mask = mask & mask.mT & ~torch.eye(4, dtype=torch.bool)

    spread = pairs.to_square(pairs.sum_of_ends(nodes))

    off_diagonal = ~torch.eye(4, dtype=torch.bool)
    torch.testing.assert_close(spread[:, off_diagonal], matrix.to_square(matrix.sum_of_ends(nodes))[:, off_diagonal])
    assert torch.equal(pairs.to_square(pairs.mask(mask)[..., None].float())[..., 0].bool(), mask)


@pytest.mark.parametrize("num_nodes", [4, 70])  # by a product, and by a sum over the square
def test_the_sum_at_a_node_is_over_its_real_pairs(num_nodes: int) -> None:
    pairs, matrix = (edge_layout(kind, num_nodes, torch.device("cpu")) for kind in ("pairs", "matrix"))
    mask = torch.rand(2, num_nodes, num_nodes, generator=torch.Generator().manual_seed(0)) > 0.5
    mask = mask & mask.mT & ~torch.eye(num_nodes, dtype=torch.bool)
    stored = torch.randn(2, num_nodes * (num_nodes - 1) // 2, 3)

    found = pairs.sum_at_nodes(stored, pairs.mask(mask))

    expected = matrix.sum_at_nodes(matrix.from_square(pairs.to_square(stored)), matrix.mask(mask))
    torch.testing.assert_close(found, expected)


def test_the_gradient_of_a_sum_of_ends_is_that_of_its_two_nodes() -> None:
    layout = edge_layout("pairs", 5, torch.device("cpu"))
    nodes = torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(layout.sum_of_ends, nodes)
