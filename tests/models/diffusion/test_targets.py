import pytest
import torch

from models.diffusion.targets import Targets
from tests.conftest import make_regressor, random_graphs
from tests.models.diffusion.conftest import CARD, make_guidance


def test_the_gradient_is_that_of_finite_differences() -> None:
    graphs, t = random_graphs([9, 6]), torch.tensor([5, 20])
    targets = Targets(make_regressor(CARD), [0, 1], torch.tensor([[2.0, -1.5], [0.0, 1.0]]))
    # Off the corners of the simplex, where features like a clamped degree have a kink.
    nodes, edges = (0.9 * x + 0.017 for x in targets.regressor.one_hot(graphs))
    by_nodes, by_edges = torch.autograd.grad(
        targets.squared_error(nodes.requires_grad_(), edges.requires_grad_(), graphs, t).sum(), (nodes, edges)
    )
    step = 2e-3

    def slope(node_change: torch.Tensor, edge_change: torch.Tensor) -> torch.Tensor:
        up, down = (
            targets.squared_error(nodes + sign * step * node_change, edges + sign * step * edge_change, graphs, t)
            for sign in (1, -1)
        )
        return ((up - down) / (2 * step)).detach()

    # Where the slopes are steep enough for single precision.
    for graph, i, category in [(0, 1, 0), (0, 1, 3), (1, 2, 1), (1, 5, 0)]:
        change = torch.zeros_like(nodes)
        change[graph, i, category] = 1
        found = slope(change, torch.zeros_like(edges))
        assert float(found[graph]) == pytest.approx(float(by_nodes[graph, i, category]), rel=0.03)
        assert found[1 - graph] == 0
    for graph, i, j, category in [(0, 1, 2, 2), (0, 8, 1, 2), (1, 3, 0, 2), (1, 0, 3, 1)]:
        change = torch.zeros_like(edges)
        change[graph, i, j, category] = change[graph, j, i, category] = 1
        found = slope(torch.zeros_like(nodes), change)
        both = by_edges[graph, i, j, category] + by_edges[graph, j, i, category]
        assert float(found[graph]) == pytest.approx(float(both), rel=0.03)
        assert found[1 - graph] == 0


def test_a_pair_has_the_gradient_of_both_places_where_it_is_written() -> None:
    graphs, t = random_graphs([9, 6]), torch.tensor([5, 20])
    targets = make_guidance(2, estimator="gradient").targets[0]

    _, by_pairs = targets.error_gradient(graphs, t)

    nodes, edges = targets.regressor.one_hot(graphs)
    (by_places,) = torch.autograd.grad(targets.squared_error(nodes, edges.requires_grad_(), graphs, t).sum(), edges)
    torch.testing.assert_close(by_pairs, by_places + by_places.transpose(1, 2))


def test_the_gradient_is_symmetric_in_the_edges_and_vanishes_on_padding() -> None:
    graphs, t = random_graphs([9, 6]), torch.tensor([5, 20])

    by_nodes, by_edges = make_guidance(2, estimator="gradient").targets[0].error_gradient(graphs, t)

    torch.testing.assert_close(by_edges, by_edges.transpose(1, 2))
    assert not by_nodes[1, 6:].any()
    assert not by_edges[1, 6:].any()
    assert by_edges[0].any()
