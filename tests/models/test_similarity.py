import pytest

from models.card.folder import read_card, shipped_checkpoints
from models.given.partial import PartialGraph
from models.given.smiles import graph_of_smiles
from models.similarity import Fingerprint, Likeness

NOTHING: tuple[list[str], list[tuple[int, int, str]]] = ([], [])


def test_molecules_are_compared_by_fingerprints() -> None:
    card = read_card(shipped_checkpoints() / "qm9")
    likeness = Likeness(graph_of_smiles("OCC", card.node_types, card.edge_types), card)

    assert likeness.of(NOTHING, "CCO") == 1
    assert 0 < likeness.of(NOTHING, "CCCO") < 1
    assert likeness.of(NOTHING, None) == 0
    assert likeness.is_same(NOTHING, "CCO")
    assert not likeness.is_same(NOTHING, "CCN")


def test_other_graphs_by_the_edges_that_they_share() -> None:
    card = read_card(shipped_checkpoints() / "planar")
    label, edge = card.node_types[0], card.edge_types[1]
    likeness = Likeness(PartialGraph((0, 0, 0), {(0, 1): 1, (1, 2): 1, (0, 2): 0}), card)
    types = [label] * 3

    assert likeness.of((types, [(0, 1, edge), (2, 1, edge)]), None) == 1
    assert likeness.of((types, [(0, 1, edge), (0, 2, edge)]), None) == pytest.approx(1 / 3)
    assert likeness.is_same((types, [(1, 0, edge), (1, 2, edge)]), None)
    assert not likeness.is_same((types, [(0, 1, edge)]), None)


def test_a_fingerprint_is_most_like_the_nearest_of_several() -> None:
    ethanol, propanol, benzene = map(Fingerprint, ("CCO", "CCCO", "c1ccccc1"))

    assert ethanol.similarity(Fingerprint("OCC")) == 1
    assert ethanol.most_similar([benzene, propanol]) == ethanol.similarity(propanol) > ethanol.similarity(benzene)
    assert ethanol.most_similar([]) == 0
