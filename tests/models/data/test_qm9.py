"""The real QM9; built once into the cache folder, about a minute."""

import re

import pytest
import torch

from models.card.card import ModelCard
from models.data import qm9
from models.data.dataset import SPLITS, GraphData
from models.evaluation.molecules import smiles_of, stability
from tests.conftest import make_card


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


@pytest.mark.thorough
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


def test_charged_atoms_are_types_of_their_own(data: GraphData) -> None:
    charged = [label for label in data.node_types if label[-1] in "+-"]

    counts = dict(zip(data.node_types, data.node_marginals(), strict=True))
    assert charged == ["N+", "O-", "C-", "N-"]
    assert all(counts[label] > 0 for label in charged)


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
