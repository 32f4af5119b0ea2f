import torch

from models.compute.arithmetic import softmax


def test_the_softmax_is_torchs_own_and_impossible_categories_stay_impossible() -> None:
    logits = 30 * torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    logits[:, 2] = float("-inf")

    found = softmax(logits)

    torch.testing.assert_close(found, logits.softmax(-1))
    assert not found[:, 2].any()


def test_a_gradient_goes_through_the_softmax() -> None:
    logits = torch.randn(3, 4, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(softmax, logits)
