from pathlib import Path

import pytest
import torch

from models.data.catalogue import DATASETS, load_dataset, load_labelled, reference_molecules, targets_for
from models.data.dataset import GraphData
from tests.conftest import make_card, make_record
from tests.models.data.files.conftest import SMILES, write


def test_every_data_set_is_found_by_its_name() -> None:
    assert {name: dataset.name for name, dataset in DATASETS.items()} == {name: name for name in DATASETS}
    assert {"qm9", "qm9-h", "zinc250k", "planar", "sbm", "comm20", "tree"} <= set(DATASETS)


def test_what_is_no_name_is_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "smiles,size", *(f"{text},{i}" for i, text in enumerate(SMILES)))

    graphs, labelled = load_dataset(str(path)), load_labelled(str(path))

    assert graphs.name == labelled.graphs.name == "mine.csv"
    assert labelled.property_names == ["size"]
    with pytest.raises(FileNotFoundError):
        load_dataset(str(tmp_path / "none.smi"))


def test_a_regressor_learns_from_all_of_a_file_whatever_it_is_for(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "smiles,size", *(f"{text},{i}" for i, text in enumerate(SMILES)))
    data = load_labelled(str(path))

    guide, judge = data.splits_for("guide"), data.splits_for("judge")

    assert torch.equal(guide.train.values, judge.train.values)
    assert len(guide.train) == len(data.graphs.train)


def test_molecules_to_compare_with_are_those_of_the_data_set_where_it_has_them(data: GraphData, tmp_path: Path) -> None:
    own = load_dataset(str(write(tmp_path / "mine.smi", *SMILES)))

    known = reference_molecules(data, "test")

    assert known is not None
    assert len(known) == len(data.test)
    assert reference_molecules(own, "test") is None


@pytest.mark.parametrize("dataset", ["qm9", "zinc250k", "mine.smi", None])
def test_molecules_without_properties_of_their_own_are_steered_to_those_of_qm9(dataset: str | None) -> None:
    card = make_card().model_copy(update={"training": make_record(dataset=dataset) if dataset else None})

    title, labels = targets_for(card)

    assert title == "QM9"
    assert "mu" in [known.name for known in labels.properties]
