from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from models.card.card import WeightsFile
from models.checkpoint import LoadedModel
from models.data.synthetic import draw, load_synthetic
from models.evaluation.plot import DRAWN_FROM, drawn_from, plot_model, plot_quality, plot_targets
from tests.conftest import make_card
from tests.models.evaluation.test_graphs import card_of
from tests.models.evaluation.test_page import measured

TRAINING = torch.linspace(0, 6, 200)


@pytest.mark.parametrize(("ending", "signature"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_a_picture_is_of_the_kind_that_its_name_says(
    ending: str, signature: bytes, qm9_model: LoadedModel, tmp_path: Path
) -> None:
    path = tmp_path / f"mu{ending}"

    plot_targets(
        {0.5: [0.4, 0.6, 0.9], 5.0: [4.0, 5.5]}, qm9_model.card.properties["mu"], path, training=TRAINING, title="mu"
    )

    assert path.read_bytes().startswith(signature)


def test_the_same_numbers_give_the_same_picture(qm9_model: LoadedModel, tmp_path: Path) -> None:
    paths = [tmp_path / "one.svg", tmp_path / "two.svg"]

    for path in paths:
        plot_targets({0.5: [0.4, 0.6]}, qm9_model.card.properties["mu"], path, training=TRAINING, title="mu")

    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_graphs_with_and_without_chemistry_are_drawn_beside_what_was_measured(
    qm9_model: LoadedModel, tmp_path: Path
) -> None:
    molecules, graphs = tmp_path / "qm9.svg", tmp_path / "comm20.svg"
    small, large = draw("comm20", 4, seed=0), draw("planar", 9, seed=0)

    plot_model(qm9_model.card, [draw("comm20", 3, seed=0)], molecules)
    plot_model(card_of(load_synthetic("comm20")), [small, large], graphs)

    # Words are drawn as paths, each with a comment that says them.
    assert "<!-- denoising steps -->" in molecules.read_text(encoding="utf-8")
    drawn = graphs.read_text(encoding="utf-8")
    assert "<!-- nothing measured yet -->" in drawn
    dozen = [small, large[:8]]
    assert drawn.count('style="fill: #4477aa; stroke: #4477aa"') == sum(int(batch.num_nodes.sum()) for batch in dozen)
    assert drawn.count("stroke: #888888") == sum(int(batch.edges.sum()) // 2 for batch in dozen)


def points(line: Line2D) -> list[list[float]]:
    found: list[list[float]] = np.asarray(line.get_xydata()).tolist()
    return found


def test_quality_is_drawn_by_steps_a_curve_for_each_sampler_and_grid() -> None:
    rows = [
        measured(num_steps=50, values={"fcd": 0.5, "valid": 0.9}),
        measured(num_steps=10, values={"fcd": 2.0}),
        measured(num_steps=20, values={"fcd": 1.0}, version="1"),
        measured(num_steps=20, values={"fcd": 0.75}, sampler="mixed", eta=0.2),
        measured(num_steps=20, values={"fcd": 4.0}, grid="uniform"),
        measured(num_steps=100, values={"valid": 0.9}),
        measured(num_steps=5, values={"fcd": 9.0}, version="0"),
        measured(num_steps=5, values={"fcd": 9.0}, num_graphs=200),
    ]
    axes = Figure().add_subplot()

    plot_quality(axes, make_card().model_copy(update={"metrics": rows}))

    assert {line.get_label(): (line.get_linestyle(), points(line)) for line in axes.lines} == {
        "ancestral, polydec": ("-", [[10, 2.0], [20, 1.0], [50, 0.5]]),
        "ancestral, uniform": (":", [[20, 4.0]]),
        "mixed 0.2, polydec": ("-", [[20, 0.75]]),
    }
    assert axes.get_ylabel() == "Fréchet ChemNet distance, 100 samples"


@pytest.mark.parametrize("order", [1, -1])
def test_of_as_many_rows_those_on_more_samples_are_drawn(order: int) -> None:
    rows = [measured(num_graphs=2_000, values={"ratio": 3.0}), measured(num_graphs=10_000, values={"ratio": 2.0})]
    axes = Figure().add_subplot()

    plot_quality(axes, make_card().model_copy(update={"metrics": rows[::order]}))

    assert [points(line) for line in axes.lines] == [[[10, 2.0]]]
    assert axes.get_ylabel() == "mean MMD ratio, 10,000 samples"


def test_a_picture_tells_what_it_was_drawn_from_and_whether_that_has_changed(tmp_path: Path) -> None:
    path, card = tmp_path / "tiny.png", make_card().model_copy(update={"metrics": [measured()]})
    others = [
        card.with_measurement(measured(values={"fcd": 1.0})),
        card.model_copy(update={"weights": WeightsFile(sha256="0" * 64)}),
        card.model_copy(update={"sampling": card.sampling.model_copy(update={"num_steps": 20})}),
    ]

    plot_model(card, [draw("comm20", 2, seed=0)], path)

    with Image.open(path) as picture:
        recorded = picture.info[DRAWN_FROM]
    assert recorded == drawn_from(card.model_copy(update={"description": "Of no matter to the picture."}))
    assert len({recorded, *map(drawn_from, others)}) == 4
