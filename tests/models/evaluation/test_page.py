"""Cards as pages."""

import pytest
from PIL import Image

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.card.folder import PLOT_FILE, read_cards, shipped_checkpoints
from models.card.measurements import Measurement
from models.evaluation.page import PAGE_FILE, write_page
from models.evaluation.plot import DRAWN_FROM, drawn_from
from tests.conftest import make_card, make_record, make_regressor_card

CARDS = read_cards(shipped_checkpoints())


@pytest.mark.parametrize("name", CARDS)
def test_every_shipped_checkpoint_has_its_page_and_its_picture(name: str) -> None:
    folder = shipped_checkpoints() / name

    assert (folder / PAGE_FILE).read_text(encoding="utf-8") == write_page(CARDS[name]), "digress plot NAME --save"
    with Image.open(folder / PLOT_FILE, formats=["PNG"]) as picture:
        assert picture.info.get(DRAWN_FROM) == drawn_from(CARDS[name]), "digress plot NAME --save"


def measured(**changes: object) -> Measurement:
    return Measurement.model_validate(
        {
            "num_graphs": 100,
            "sampler": "ancestral",
            "grid": "polydec",
            "num_steps": 10,
            "seed": 1,
            "command": "digress evaluate tiny -n 100",
            "values": {"valid": 0.5, "fcd": 1.25},
        }
        | changes
    )


def test_a_page_shows_what_was_measured_of_this_version_the_default_first() -> None:
    rows = [measured(num_steps=5, values={"valid": 0.25}), measured(), measured(version="0", values={"valid": 0.125})]
    page = write_page(make_card().model_copy(update={"metrics": rows}))

    table = [line for line in page.splitlines() if line.startswith("| 100 |")]
    assert table == [
        "| 100 | ancestral, polydec | 10 | 50.00 % | 1.25 |",
        "| 100 | ancestral, polydec | 5 | 25.00 % |  |",
    ]


def test_a_page_tells_of_properties_where_there_are_any() -> None:
    plain: ModelCard = make_card()
    steered = plain.with_regressor(make_regressor_card())
    name = next(iter(steered.properties))

    assert "steered to" not in write_page(plain)
    assert f"| `{name}` |" in write_page(steered)
    assert "Not measured yet" in write_page(plain)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"random_walk_powers": 12}, "random walks of up to 12 steps"),
        ({"cycles": True}, "cycles of length 3 to 5"),
        ({"six_cycles": True}, "cycles of length 6"),
        ({"eigenvalues": 6}, "6 lowest eigenvalues of the Laplacian with their eigenvectors"),
        ({"resistance": True}, "resistance distances"),
        ({"molecular": True}, "charge and valency of atoms and weight of the molecule"),
        ({}, "none"),
        ({"cycles": True, "resistance": True}, "cycles of length 3 to 5, resistance distances"),
    ],
)
def test_a_page_tells_the_features_that_are_on_and_no_others(features: dict[str, int | bool], words: str) -> None:
    off = dict.fromkeys(FeatureConfig.model_fields, 0)
    card = make_card(features=FeatureConfig.model_validate(off | features))

    assert f"\n| features | {words} |\n" in write_page(card)
    assert f"\n| features | {words} |\n" in write_page(card.model_copy(update={"training": make_record()}))


def test_a_page_says_where_a_training_began_with_the_weights_of_another() -> None:
    def page_of(recipe: dict[str, object]) -> str:
        record = make_record(minutes=46.1, gradient_steps=2_689, recipe=recipe)
        return write_page(make_card().model_copy(update={"training": record}))

    assert "| took | 46 minutes, 2,689 steps, on none |" in page_of({"start_from": None})
    assert "| took | 46 minutes, 2,689 steps, on none |" in page_of({})
    assert (
        "| took | 46 minutes, 2,689 steps, after those of the weights it began with (see below), on none |"
    ) in page_of({"start_from": "tiny"})


def test_a_page_tells_of_trainings_that_did_not_come_to_their_end() -> None:
    recipe = {"max_minutes": 60.0, "max_steps": 100_000}
    begun = make_record(finished=False, minutes=12.34, gradient_steps=2_500, recipe=recipe)
    ended = make_card().model_copy(update={"training": make_record()})
    steered = ended.with_regressor(make_regressor_card(training=make_record(finished=False, minutes=0.5)))

    assert "unfinished" not in write_page(ended.with_regressor(make_regressor_card()))
    assert (
        "| unfinished | `tiny`: weights after 12.3 of 60 minutes, 2,500 of at most 100,000 steps, "
        "before the learning rate had decayed to its end |"
    ) in write_page(make_card().model_copy(update={"training": begun}))
    assert "| unfinished | `tiny-regressor`: weights after 0.5 minutes, 0 steps, before" in write_page(steered)
