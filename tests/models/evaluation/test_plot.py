from pathlib import Path

import pytest

from models.checkpoint import LoadedModel
from models.data.synthetic import draw, load_synthetic
from models.evaluation.plot import plot_model, plot_targets
from tests.models.evaluation.test_graphs import card_of


@pytest.mark.parametrize(("ending", "signature"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_a_picture_is_of_the_kind_that_its_name_says(
    ending: str, signature: bytes, qm9_model: LoadedModel, tmp_path: Path
) -> None:
    path = tmp_path / f"mu{ending}"

    plot_targets({0.5: [0.4, 0.6, 0.9], 5.0: [4.0, 5.5]}, qm9_model.card.properties["mu"], path, title="mu")

    assert path.read_bytes().startswith(signature)


def test_the_same_numbers_give_the_same_picture(qm9_model: LoadedModel, tmp_path: Path) -> None:
    paths = [tmp_path / "one.svg", tmp_path / "two.svg"]

    for path in paths:
        plot_targets({0.5: [0.4, 0.6]}, qm9_model.card.properties["mu"], path, title="mu")

    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_graphs_with_and_without_chemistry_are_drawn_beside_what_was_measured(
    qm9_model: LoadedModel, tmp_path: Path
) -> None:
    molecules, graphs = tmp_path / "qm9.svg", tmp_path / "comm20.svg"

    plot_model(qm9_model.card, [draw("comm20", 3, seed=0)], molecules)
    plot_model(card_of(load_synthetic("comm20")), [draw("comm20", 4, seed=0), draw("planar", 9, seed=0)], graphs)

    assert molecules.read_bytes().startswith(b"<?xml")
    assert graphs.stat().st_size > 20_000
