import shutil
from pathlib import Path

import pytest

from app.commands.console import CommandError
from app.commands.property_measures import load_measure, require_measurable
from models.card.card import ModelCard
from models.card.config import Measure
from tests.conftest import make_card, make_regressor_card
from tests.forked import digress


def test_what_the_judge_does_not_tell_is_said_before_any_work(tmp_path: Path, qm9_folder: Path) -> None:
    shutil.copytree(qm9_folder, tmp_path / "qm9")
    text = (tmp_path / "qm9" / "card.json").read_text()
    (tmp_path / "qm9" / "card.json").write_text(text.replace('"name": "homo"', '"name": "other"', 1))
    out = tmp_path / "plot.svg"

    for command in (["evaluate-guidance"], ["plot-guidance", "--target", "-6", "--out", str(out)]):
        done = digress(*command, "qm9", "--property", "homo", DIGRESS_CHECKPOINTS=str(tmp_path))

        assert done.returncode == 1
        assert "judge cannot measure homo; it measures mu, lumo" in done.stderr
        assert "Traceback" not in done.stderr
    assert not out.exists()


def with_judge() -> ModelCard:
    """Steered to mu, gap and logp by a guide; its judge knows mu and logp."""
    (described, *_) = make_regressor_card().properties
    mu, gap, logp = (described.model_copy(update={"name": name}) for name in ("mu", "gap", "logp"))
    guide = make_regressor_card().model_copy(update={"properties": [mu, gap, logp]})
    judge = make_regressor_card(name="judge", role="judge").model_copy(update={"properties": [mu, logp]})
    return make_card().with_regressor(guide).with_regressor(judge)


@pytest.mark.parametrize(
    ("properties", "measure", "words"),
    [
        (["mu", "mu"], "judge", "--property mu, mu: name each once"),
        (["gap"], "judge", "judge cannot measure gap; it measures mu, logp"),
        (["mu", "logp"], "rdkit", "rdkit cannot measure mu; it measures mw, logp"),
    ],
)
def test_what_a_measure_does_not_cover_is_named_beside_what_it_does(
    properties: list[str], measure: Measure, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        require_measurable(properties, measure, with_judge())


def test_what_a_measure_covers_is_measured() -> None:
    require_measurable(["mu", "logp"], "judge", with_judge())
    require_measurable(["logp"], "rdkit", with_judge())


def test_a_model_without_a_judge_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="tiny has no judge; train one"):
        load_measure("judge", make_card(), tmp_path, num_processes=1)
