"""The layer against its formula, written out with loops."""

import pytest
import torch
from torch import Tensor

from models.networks.graph_transformer import GraphTransformerLayer, _squares, _Triangles
from models.networks.layout import edge_layout
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
