import pytest

from models.card.card import ModelCard
from models.data import qm9
from models.data.encoding import encode_graphs
from models.evaluation.molecules import (
    EvaluationError,
    evaluate_molecules,
    frechet_chemnet_distance,
    smiles_of,
    stability,
)
from models.molecules import from_smiles
from tests.conftest import make_card, random_graphs


def test_shares_are_counted_as_defined() -> None:
    reference = qm9.canonical_molecules("test")[:300]
    samples = ["CCO", "CCO", "C.C", None, *reference[:6]]

    metrics = evaluate_molecules(samples, training={"CCO"}, reference=reference)

    assert metrics.valid == pytest.approx(9 / 10)
    assert metrics.valid_and_connected == pytest.approx(8 / 10)
    assert metrics.unique == pytest.approx(8 / 9)
    assert metrics.novel == pytest.approx(7 / 8)


@pytest.mark.parametrize("samples", [[], [None, None], ["C", None]])
def test_too_few_valid_samples_are_an_error(samples: list[str | None]) -> None:
    with pytest.raises(EvaluationError, match="at least 2 are needed"):
        evaluate_molecules(samples, training=set(), reference=["C", "CC"])


def test_too_few_molecules_to_test_against_are_an_error() -> None:
    with pytest.raises(EvaluationError, match="1 molecules to test against"):
        evaluate_molecules(["C", "CC"], training=set(), reference=["C"])


@pytest.mark.thorough
def test_the_distance_is_zero_to_itself_and_otherwise_that_of_an_independent_package() -> None:
    molecules = qm9.canonical_molecules("test")
    first, second = molecules[:400], molecules[400:800]
    chains = ["C" * n for n in range(1, 10)] * 45

    same, alike, other = (frechet_chemnet_distance(samples, first) for samples in (first, second, chains))

    assert same == pytest.approx(0, abs=1e-3)
    # By fcd 1.2.2 (get_predictions and calculate_frechet_distance).
    assert alike == pytest.approx(1.775497, rel=1e-4)
    assert other == pytest.approx(26.314000, rel=1e-4)


def test_random_graphs_are_hardly_ever_molecules() -> None:
    found = smiles_of(make_card(), random_graphs([9] * 200))

    assert sum(smiles is not None for smiles in found) < 5


def card_with_hydrogens() -> ModelCard:
    types = qm9.NODE_TYPES_WITH_HYDROGENS
    changes = {"node_types": types, "node_marginals": [1 / len(types)] * len(types), "edge_types": qm9.EDGE_TYPES}
    return make_card().model_copy(update=changes | {"edge_marginals": [0.7, 0.1, 0.1, 0.1]})


def test_an_atom_is_stable_with_as_many_bonds_as_it_has_valences() -> None:
    card = card_with_hydrogens()
    methanol = from_smiles("CO", draw_hydrogens=True)
    assert methanol is not None
    types, bonds = methanol
    radical = (types[:-1], bonds[:-1])  # methanol without a hydrogen: of five atoms, one has a bond too few
    graphs = encode_graphs([(types, bonds), radical], card.node_types, card.edge_types)

    found = stability(card, [graphs[:1], graphs[1:]])

    assert found["molecule_stable"] == 0.5
    assert found["atom_stable"] == pytest.approx(10 / 11)
    assert smiles_of(card, graphs) == ["CO", "C[O]"]


def test_where_hydrogens_are_not_drawn_there_is_no_stability() -> None:
    assert stability(make_card(), [random_graphs([5])]) == {}


def test_distances_of_properties_are_how_far_values_must_be_moved() -> None:
    reference = ["CCO", "CCCO"] * 20
    heavier = ["CCCO", "CCCCO"] * 20  # each has one CH2 more

    same, moved = (evaluate_molecules(samples, training=set(), reference=reference) for samples in (reference, heavier))

    assert (same.distance_mw, same.distance_logp, same.distance_qed) == (0, 0, 0)
    assert moved.distance_mw == pytest.approx(14.027, abs=1e-3)
    assert moved.distance_logp == pytest.approx(0.3901, abs=1e-3)
