"""The gradient of the statistics, written out by hand, against the one that torch makes of their definition."""

import pytest
import torch
from torch import Tensor

from models.networks.pooling import masked_statistics


def written_out(elements: Tensor, mask: Tensor) -> Tensor:
    """Graph by graph, the real elements alone."""
    rows = []
    for graph, real in zip(elements, mask, strict=True):
        chosen = graph[real]
        deviation = (chosen.var(0, correction=0) + 1e-6).sqrt()
        rows.append(torch.cat([chosen.mean(0), chosen.amin(0), chosen.amax(0), deviation]))
    return torch.stack(rows)


@pytest.mark.parametrize("ties", [False, True])
def test_statistics_and_their_gradient_are_those_of_the_real_elements(ties: bool) -> None:
    torch.manual_seed(0)
    elements = torch.randn(3, 7, 5)
    mask = torch.arange(7) < torch.tensor([7, 4, 2])[:, None]
    elements = (elements.round() if ties else elements).requires_grad_()
    weight = torch.randn(3, 20)

    found, expected = masked_statistics(elements, mask), written_out(elements, mask)
    (by_hand,) = torch.autograd.grad((found * weight).sum(), elements)
    (by_torch,) = torch.autograd.grad((expected * weight).sum(), elements)

    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(by_hand, by_torch)
    assert not by_hand[~mask].any()


@pytest.mark.parametrize("num_elements", [0, 3])
def test_a_graph_without_elements_has_no_gradient(num_elements: int) -> None:
    elements = torch.randn(2, num_elements, 5, requires_grad=True)

    statistics = masked_statistics(elements, torch.zeros(2, num_elements, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(statistics.sum(), elements)

    assert not gradient.any()


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
