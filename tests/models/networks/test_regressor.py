import torch

from tests.conftest import concatenate, make_card, make_regressor, pad_to, permute, random_graphs


def test_the_answer_does_not_change_when_nodes_are_renamed() -> None:
    regressor = make_regressor(make_card())
    graphs, t = random_graphs([9, 9, 9]), torch.tensor([0, 3, 40])
    order = torch.stack([torch.randperm(9) for _ in range(3)])

    predicted, renamed = regressor(graphs, t), regressor(permute(graphs, order), t)

    torch.testing.assert_close(renamed.location, predicted.location, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(renamed.scale, predicted.scale, atol=1e-4, rtol=1e-4)


def test_neither_padding_nor_batch_mates_change_the_answer() -> None:
    regressor = make_regressor(make_card(max_nodes=12))
    graphs, mates, t = random_graphs([5, 7]), random_graphs([9, 2, 8], seed=1), torch.tensor([2, 30, 0, 4, 9])

    alone = regressor(graphs, t[:2])
    together = regressor(pad_to(concatenate(graphs, mates), 12), t)

    torch.testing.assert_close(together.location[:2], alone.location, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together.scale[:2], alone.scale, atol=1e-4, rtol=1e-4)


def test_time_matters() -> None:
    regressor = make_regressor(make_card())
    graphs = random_graphs([9])

    early, late = (regressor(graphs, torch.tensor([t])).location for t in (0, 50))

    assert not torch.allclose(early, late)
