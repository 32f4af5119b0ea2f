import gzip
import importlib
import pickle
import sys
from pathlib import Path

import pytest
from rdkit import Chem, RDConfig

from models.synthetic_accessibility import FragmentScores, read_scores, synthetic_accessibility

MOLECULES = ["CCO", "CC(=O)Oc1ccccc1C(=O)O", "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O", "C1CC1C1C2C3C2C13"]


def test_the_score_is_that_of_rdkits_own_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(RDConfig.RDContribDir) / "SA_Score"))
    script = importlib.import_module("sascorer")
    monkeypatch.delitem(sys.modules, "sascorer")
    molecules = [Chem.MolFromSmiles(smiles) for smiles in MOLECULES]

    expected = [script.calculateScore(molecule) for molecule in molecules]

    assert [synthetic_accessibility(molecule) for molecule in molecules] == expected


def test_easy_molecules_score_low_and_strange_ones_high() -> None:
    easy, strange = (synthetic_accessibility(Chem.MolFromSmiles(smiles)) for smiles in ("CCO", "C1CC1C1C2C3C2C13"))

    assert 1 <= easy < 2.5 < 3.5 < strange <= 10


def test_a_fragment_that_is_not_known_has_the_default() -> None:
    scores = FragmentScores([(7, 0.5), (2**32 - 1, -1.5), (3, 2.0)])

    assert len(scores) == 3
    assert [scores.get(fragment, -4) for fragment in (3, 7, 2**32 - 1, 5, 2**40)] == [2.0, 0.5, -1.5, -4, -4]


def test_a_table_that_would_run_something_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.pkl.gz"
    with gzip.open(path, "wb") as file:
        pickle.dump([[1.0, 5], print], file)

    with pytest.raises(pickle.UnpicklingError, match=r"must not contain builtins\.print"):
        read_scores(path)
