from pathlib import Path

import pytest

from models.card.card import ModelCard
from models.card.folder import shipped_checkpoints
from models.checkpoint import load_model
from models.data.files.load import fingerprint
from models.evaluation import report
from models.evaluation.molecules import EvaluationError
from models.evaluation.report import negative_log_likelihood, reference_data
from tests.conftest import make_card, make_record


def card_of(dataset: str, sha256: str | None) -> ModelCard:
    record = make_record().model_copy(update={"dataset": dataset, "dataset_sha256": sha256})
    return make_card().model_copy(update={"training": record})


def test_a_file_that_is_not_the_one_trained_on_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.smi"
    file.write_text("C\n" * 12, encoding="utf-8")

    with pytest.raises(EvaluationError, match="not what 'tiny' was trained on, or has changed since"):
        reference_data(card_of("mine.smi", "0" * 64), file)


def test_a_users_data_called_as_a_data_set_is_not_taken_for_it() -> None:
    with pytest.raises(EvaluationError, match="trained on planar; give its file by --data"):
        reference_data(card_of("planar", "0" * 64))

    assert reference_data(card_of("planar", None)).name == "planar"


def test_a_folder_called_as_a_data_set_is_measured_against_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("planar")
    folder.mkdir()
    graphs = "<graph><node id='a'/></graph>" * 12
    (folder / "all.graphml").write_text(f"<graphml>{graphs}</graphml>", encoding="utf-8")
    card = card_of("planar", fingerprint(folder))

    data = reference_data(card.model_copy(update={"node_types": ["node"], "edge_types": ["none", "edge"]}), folder)

    assert (data.name, data.max_nodes) == ("planar/", 1)


def test_graphs_without_chemistry_have_a_likelihood_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_NOISY_GRAPHS", 100)  # 4,096 take long
    model = load_model(shipped_checkpoints() / "comm20")

    terms = negative_log_likelihood(model, reference_data(model.card), seed=0)

    nll = terms.pop("nll")
    assert 20 < nll < 100
    assert nll == pytest.approx(sum(terms.values()))
    assert len(terms) == 7
