import pytest
import torch

from models.data.batches import GraphDataset, ShuffledSampler, batches
from models.data.dataset import GraphData


def test_batches_are_shuffled_anew_each_epoch_and_the_same_for_the_same_seed(data: GraphData) -> None:
    def first(seed: int, epoch: int) -> list[int]:
        loader = batches(GraphDataset(data.test[:1_000]), batch_size=64, seed=seed)
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return next(iter(loader)).nodes.sum(1).tolist()  # type: ignore[no-any-return]

    assert first(1, 0) == first(1, 0)
    assert first(1, 0) != first(1, 1)
    assert first(1, 0) != first(2, 0)


def test_a_batch_holds_graphs_of_similar_size_and_an_epoch_every_graph_once(data: GraphData) -> None:
    graphs = data.test[:1_000]
    order = list(ShuffledSampler(graphs.num_nodes, batch_size=64, seed=1))
    in_batches = graphs.num_nodes[order[:960]].view(-1, 64)

    assert sorted(order) == list(range(1_000))
    spread = in_batches.amax(1) - in_batches.amin(1)
    blind = graphs.num_nodes[torch.randperm(960, generator=torch.Generator().manual_seed(0))].view(-1, 64)
    assert spread.float().mean() < 0.6 * (blind.amax(1) - blind.amin(1)).float().mean()


def test_neither_place_in_a_batch_nor_company_depends_on_size() -> None:
    sampler = ShuffledSampler(torch.arange(10, 170), batch_size=16, seed=0)
    first, seen = torch.zeros(160), set()

    for epoch in range(200):
        sampler.set_epoch(epoch)
        rows = torch.tensor(list(sampler)).view(10, 16)
        first[rows[:, 0]] += 1
        seen |= {tuple(sorted(row.tolist())) for row in rows}

    assert len(seen) == 2_000
    assert float(first[:80].sum()) == pytest.approx(float(first[80:].sum()), rel=0.15)
    assert first.max() < 40
