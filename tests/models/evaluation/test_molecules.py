import pytest

from models.data import qm9
from models.evaluation.molecules import EvaluationError, evaluate_molecules, frechet_chemnet_distance, smiles_of
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
        evaluate_molecules(samples, training=set(), reference=["C"])


def test_the_distance_is_zero_to_itself_small_to_its_like_and_large_to_others() -> None:
    molecules = qm9.canonical_molecules("test")
    first, second = molecules[:400], molecules[400:800]
    chains = ["C" * n for n in range(1, 10)] * 45

    same, alike, other = (frechet_chemnet_distance(samples, first) for samples in (first, second, chains))

    assert same == pytest.approx(0, abs=1e-3)
    assert same < alike < 2.5
    assert other > 10


def test_random_graphs_are_hardly_ever_molecules() -> None:
    found = smiles_of(make_card(), random_graphs([9] * 200))

    assert sum(smiles is not None for smiles in found) < 5
