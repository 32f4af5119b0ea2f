"""The layer against its formula, written out with loops."""

import pytest
import torch
from torch import Tensor

from models.networks.graph_transformer import GraphTransformerLayer, _squares, _Triangles
from models.networks.layout import edge_layout
from models.networks.pooling import masked_statistics
from tests.conftest import tiny_network

HEADS, WIDTH = 2, 16


@pytest.mark.parametrize("attention", ["head", "channel"])
@torch.no_grad()
def test_attention_is_the_written_out_formula(attention: str) -> None:
    torch.manual_seed(0)
    layer = GraphTransformerLayer(tiny_network(edge_attention=attention), updates_graph=True)
    x = torch.randn(1, 4, WIDTH)
    film = torch.randn(1, 4, 4, 2 * (WIDTH if attention == "channel" else HEADS))
    mask = torch.tensor([[True, True, True, False]])

    attend = layer._attend_per_channel if attention == "channel" else layer._attend_per_head
    attended, scores = attend(x, film, mask)

    expected_out, expected_scores = written_out_attention(layer, x[0], film[0], num_real=3)
    torch.testing.assert_close(attended[0], expected_out)
    torch.testing.assert_close(scores[0], expected_scores)


def written_out_attention(
    layer: GraphTransformerLayer, x: Tensor, film: Tensor, *, num_real: int
) -> tuple[Tensor, Tensor]:
    """One query, one key, one channel at a time."""
    query, key, value = layer.query_key_value(x).split(WIDTH, dim=-1)
    size = WIDTH // HEADS
    num_scores = film.shape[-1] // 2
    scores, out = torch.zeros(4, 4, num_scores), torch.zeros(4, WIDTH)
    for i in range(4):
        for j in range(4):
            for s in range(num_scores):
                channels = [s] if num_scores == WIDTH else range(s * size, (s + 1) * size)
                product = sum(query[i, c] * key[j, c] for c in channels) / size**0.5
                scores[i, j, s] = product * (1 + film[i, j, s]) + film[i, j, num_scores + s]
        for c in range(WIDTH):
            s = c if num_scores == WIDTH else c // size
            weights = scores[i, :num_real, s].softmax(0)
            out[i, c] = (weights * value[:num_real, c]).sum()
    return out, scores


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


def test_pooling_is_over_the_real_elements() -> None:
    elements = torch.tensor([[[1.0], [4.0], [100.0]]])

    pooled = masked_statistics(elements, torch.tensor([[True, True, False]]))

    torch.testing.assert_close(pooled, torch.tensor([[2.5, 1.0, 4.0, 1.5]]), atol=1e-3, rtol=0)


def test_pooling_nothing_gives_finite_numbers_and_gradients() -> None:
    elements = torch.randn(2, 3, 4, requires_grad=True)

    pooled = masked_statistics(elements, torch.tensor([[False] * 3, [True] * 3]))
    pooled.sum().backward()  # type: ignore[no-untyped-call]

    assert pooled.isfinite().all()
    assert elements.grad is not None
    assert elements.grad.isfinite().all()
    assert masked_statistics(torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.bool)).shape == (2, 16)


@torch.no_grad()
def test_triangles_are_the_written_out_sum() -> None:
    torch.manual_seed(0)
    triangles = _Triangles(3, 2)
    edges = torch.randn(1, 5, 5, 3)
    edges = edges + edges.transpose(1, 2)
    layout = edge_layout("pairs", 5, torch.device("cpu"))
    node_mask = torch.tensor([[True, True, True, True, False]])
    edge_mask = node_mask[:, :, None] & node_mask[:, None, :]

    sides = _squares(triangles.sides, layout.from_square(edges), layout)
    found = triangles(*sides, layout=layout, node_mask=node_mask, edge_mask=layout.mask(edge_mask))

    first, second = triangles.edge_to_first(edges[0]), triangles.edge_to_second(edges[0])
    for i, j in zip(*torch.triu_indices(4, 4, offset=1).tolist(), strict=True):
        others = [k for k in range(4) if k not in (i, j)]
        both_ways = [sum((first[a, k] * second[k, b] for k in others), torch.zeros(2)) for a, b in ((i, j), (j, i))]
        expected = triangles.triangles_to_edge((both_ways[0] + both_ways[1]) / 2 / 4**0.5)
        torch.testing.assert_close(layout.to_square(found)[0, i, j], expected)


def test_training_and_drawing_compute_the_same() -> None:
    torch.manual_seed(0)
    layer = GraphTransformerLayer(tiny_network(triangle_width=4), updates_graph=True)
    layout = edge_layout("pairs", 5, torch.device("cpu"))
    node_mask = torch.arange(5) < torch.tensor([5, 3])[:, None]
    edge_mask = layout.mask(node_mask[:, :, None] & node_mask[:, None, :])
    streams = (torch.randn(2, 5, 16), torch.randn(2, 10, layer.edge_norm.normalized_shape[0]))
    graph = torch.randn(2, layer.global_norm.normalized_shape[0])

    trained = layer(*streams, graph, layout=layout, node_mask=node_mask, edge_mask=edge_mask)
    with torch.no_grad():
        drawn = layer(*streams, graph, layout=layout, node_mask=node_mask, edge_mask=edge_mask)

    for with_gradient, without in zip(trained, drawn, strict=True):
        assert with_gradient.requires_grad
        torch.testing.assert_close(with_gradient, without)


def test_the_gradient_of_a_sum_of_ends_is_that_of_its_two_nodes() -> None:
    layout = edge_layout("pairs", 5, torch.device("cpu"))
    nodes = torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(layout.sum_of_ends, nodes)
