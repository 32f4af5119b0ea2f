import torch

from models.data.dataset import LabelledGraphs
from models.data.named import LabelledSplits
from tests.conftest import random_graphs


def test_properties_are_chosen_in_every_part_and_in_the_order_given() -> None:
    parts = [LabelledGraphs(random_graphs([3] * size), torch.randn(size, 3)) for size in (4, 2, 1)]

    chosen = LabelledSplits(parts[0], parts[1], parts[2], split="all").with_properties([2, 0])

    assert chosen.split == "all"
    for before, after in zip(parts, (chosen.train, chosen.validation, chosen.test), strict=True):
        assert torch.equal(after.values, before.values[:, [2, 0]])
        assert torch.equal(after.graphs.nodes, before.graphs.nodes)
