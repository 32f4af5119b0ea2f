import pytest
import torch

from models.data import qm9_properties
from models.data.dataset import LabelledGraphs
from models.data.named import LabelledSplits
from models.data.qm9_properties import split_for
from tests.conftest import random_graphs


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> LabelledSplits:
    """Graphs numbered by their only property: 10 to train on, then 6, then 4."""
    monkeypatch.setattr(qm9_properties, "_GUIDE_MOLECULES", 7)
    monkeypatch.setattr(qm9_properties, "_JUDGE_VALIDATION", 2)
    numbers = torch.split(torch.arange(20.0)[:, None], [10, 6, 4])
    train, validation, test = (LabelledGraphs(random_graphs([3] * len(part)), part) for part in numbers)
    return LabelledSplits(train, validation, test, split="all")


def numbers(graphs: LabelledGraphs) -> list[float]:
    return graphs.values[:, 0].tolist()


def test_no_molecule_teaches_both_a_guide_and_a_judge(splits: LabelledSplits) -> None:
    guide, judge = split_for(splits, "guide"), split_for(splits, "judge")

    assert numbers(guide.train) == list(range(7))
    assert numbers(judge.train) == [7, 8, 9, 12, 13, 14, 15]
    assert numbers(judge.validation) == [10, 11]
    assert numbers(guide.test) == numbers(judge.test) == [16, 17, 18, 19]


def test_the_split_says_which_molecules_were_taken(splits: LabelledSplits) -> None:
    assert split_for(splits, "guide").split == "all; the first 7 training molecules"
    assert "after the first 7, and the validation molecules after the first 2" in split_for(splits, "judge").split
