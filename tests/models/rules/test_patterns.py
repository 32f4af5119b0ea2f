import time

import pytest
from rdkit import Chem

from models.rules.patterns import MOST_TRIALS, PatternError, Patterns, _Search, read_pattern

ASPIRIN = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
BUCKMINSTERFULLERENE = Chem.MolFromSmiles(
    "c12c3c4c5c1c1c6c7c2c2c8c3c3c9c4c4c%10c5c5c1c1c6c6c%11c7c2c2c7c8c3c3c8c9c4c4c9c%10c5c5c1c1c6c6c%11c2c2c7c3c3c8c4c4c9c5c1c1c6c2c3c41"
)
# Each takes longer than anybody waits, were it not bounded.
COSTLY = [
    "*~" * 40 + "[Au]",
    "*~" * 59 + "*~*",
    "*1~" + "*~" * 50 + "*1",
    ".".join(["*"] * 12) + ".[Au]",
    f"[$({'*~' * 30}[Au])]",
    f"[!$({'.'.join(['*'] * 9)}.[Au])]",
    "[$([$([$(*.*.*.*.*.[Au])].*.*.*.[Au])].*.*.[Au])]",
]


def test_molecules_contain_all_none_or_some() -> None:
    both, one, none = Patterns(["c1ccccc1", "C(=O)[OH]"]), Patterns(["C(=O)[OH]", "N"]), Patterns(["N", "[OX2H]C"][:1])

    assert (both.all_in(ASPIRIN), both.none_in(ASPIRIN)) == (True, False)
    assert (one.all_in(ASPIRIN), one.none_in(ASPIRIN)) == (False, False)
    assert (none.all_in(ASPIRIN), none.none_in(ASPIRIN)) == (False, True)


@pytest.mark.parametrize("smarts", COSTLY)
def test_a_search_ends_after_a_bounded_number_of_trials(smarts: str) -> None:
    patterns, search = Patterns([smarts] * 16), _Search(BUCKMINSTERFULLERENE)
    started = time.thread_time()

    answers = patterns.all_in(BUCKMINSTERFULLERENE), patterns.none_in(BUCKMINSTERFULLERENE)
    took = time.thread_time() - started
    search.finds(read_pattern(smarts))

    assert took < 2  # a tenth of a second, on a machine with nothing else to do
    assert search._trials < 1.2 * MOST_TRIALS
    if search._trials > MOST_TRIALS:
        assert answers == (False, False)  # neither is known


def test_most_of_these_are_bounded_by_trials_and_not_by_luck() -> None:
    known = [_Search(BUCKMINSTERFULLERENE).finds(read_pattern(smarts)) for smarts in COSTLY]

    assert known.count(None) >= 5


def test_a_pattern_that_was_given_up_can_be_searched_again() -> None:
    costly = Patterns([COSTLY[-1]])

    first, second = costly.none_in(BUCKMINSTERFULLERENE), costly.none_in(BUCKMINSTERFULLERENE)

    assert (first, second) == (False, False)
    assert costly.none_in(Chem.MolFromSmiles("CC"))


@pytest.mark.parametrize("smarts", ["C(", "C>>N", "[C", " ", "(((((", "%"])
def test_what_rdkit_cannot_read_is_refused_with_an_example(smarts: str) -> None:
    with pytest.raises(PatternError, match=r"SMARTS .*; write a pattern like"):
        read_pattern(smarts)
