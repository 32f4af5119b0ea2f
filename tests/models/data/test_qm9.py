"""The real QM9; built once into the cache folder, about a minute."""

import re

import pytest
import torch

from models.card.card import ModelCard
from models.data import qm9
from models.data.batches import GraphDataset, ShuffledSampler, batches
from models.data.dataset import SPLITS, GraphData
from models.evaluation.molecules import smiles_of, stability
from tests.conftest import make_card


@pytest.fixture(scope="module")
def data() -> GraphData:
    return qm9.load_qm9()


@pytest.fixture(scope="module")
def card(data: GraphData) -> ModelCard:
    values = {
        "node_types": data.node_types,
        "edge_types": data.edge_types,
        "node_marginals": data.node_marginals(),
        "edge_marginals": data.edge_marginals(),
        "size_distribution": data.size_distribution(),
    }
    return ModelCard.model_validate(make_card().model_dump() | values)


def test_the_splits_have_digress_sizes(data: GraphData) -> None:
    assert [len(getattr(data, split)) for split in SPLITS] == [97_734, 20_042, 13_055]


@pytest.mark.parametrize("split", [pytest.param("train", marks=pytest.mark.slow), "validation", "test"])
def test_every_graph_converts_back_to_its_molecule(data: GraphData, card: ModelCard, split: str) -> None:
    expected = qm9.canonical_molecules(split)

    found = smiles_of(card, getattr(data, split))

    exceptions = [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]]
    assert exceptions == []


def test_encoding_afresh_gives_the_cached_graphs(data: GraphData) -> None:
    smiles = qm9.read_smiles()["train"]
    charged = [i for i, text in enumerate(smiles) if "+" in text or "-" in text]
    neutral = sorted(set(range(len(smiles))).difference(charged))
    chosen = charged + neutral[::40]

    fresh, cached = qm9.encode([smiles[i] for i in chosen]), data.train[chosen]

    assert len(charged) > 300
    assert len(chosen) > 2_500
    assert torch.equal(fresh.nodes, cached.nodes)
    assert torch.equal(fresh.edges, cached.edges)
    assert torch.equal(fresh.num_nodes, cached.num_nodes)


def test_the_statistics_are_those_of_the_training_split(data: GraphData) -> None:
    sizes = data.size_distribution()

    assert data.max_nodes == 9
    assert sum(sizes.values()) == pytest.approx(1)
    assert sizes[9] == pytest.approx(0.83, abs=0.01)
    assert data.node_marginals()[0] == pytest.approx(0.72, abs=0.01)
    assert data.edge_marginals()[0] == pytest.approx(0.73, abs=0.01)


def test_charged_atoms_are_types_of_their_own(data: GraphData) -> None:
    charged = [label for label in data.node_types if label[-1] in "+-"]

    counts = dict(zip(data.node_types, data.node_marginals(), strict=True))
    assert charged == ["N+", "O-", "C-", "N-"]
    assert all(counts[label] > 0 for label in charged)


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


@pytest.fixture(scope="module")
def drawn() -> GraphData:
    """With hydrogens."""
    return qm9.load_qm9(draw_hydrogens=True)


@pytest.mark.slow
def test_with_hydrogens_drawn_all_but_the_charged_molecules_are_there(data: GraphData, drawn: GraphData) -> None:
    everyone, uncharged = (sum(len(getattr(one, split)) for split in SPLITS) for one in (data, drawn))

    assert (everyone, uncharged) == (130_831, 130_251)
    assert (drawn.max_nodes, drawn.node_types) == (29, ["H", "C", "N", "O", "F"])


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_with_hydrogens_drawn_graphs_are_stable_and_convert_back(drawn: GraphData, split: str) -> None:
    values = {
        "node_types": drawn.node_types,
        "edge_types": drawn.edge_types,
        "node_marginals": drawn.node_marginals(),
        "edge_marginals": drawn.edge_marginals(),
    }
    card = make_card().model_copy(update=values)
    uncharged = [text for text in qm9.canonical_molecules(split) if not re.search(r"\[[^]]*[+-]", text)]
    graphs = getattr(drawn, split)

    assert smiles_of(card, graphs) == uncharged
    assert stability(card, [graphs]) == {"atom_stable": 1, "molecule_stable": 1}
