import json
from pathlib import Path

from models.card.folder import write_card
from tests.conftest import make_card, make_record
from tests.forked import digress


def test_models_are_listed_with_what_was_measured() -> None:
    table, cards = digress("models"), json.loads(digress("models", "--json").stdout)

    assert "qm9" in table.stdout
    assert "valid" in table.stdout
    assert {"comm20", "qm9"} <= {card["name"] for card in cards}
    assert "vun" in table.stdout


def test_a_model_whose_training_did_not_come_to_its_end_is_marked(tmp_path: Path) -> None:
    for name, finished in (("begun", False), ("ended", True)):
        (tmp_path / name).mkdir()
        training = make_record(finished=finished)
        write_card(make_card().model_copy(update={"name": name, "training": training}), tmp_path / name)

    listed = digress("models", DIGRESS_CHECKPOINTS=str(tmp_path)).stdout

    assert "A tiny network. (unfinished: begun)" in listed
    assert listed.count("unfinished") == 1
