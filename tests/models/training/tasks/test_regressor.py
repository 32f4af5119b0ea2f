from pathlib import Path

import pytest
import torch

from models.card.folder import shipped_checkpoints
from models.checkpoint import load_regressors
from models.data.batches import LabelledDataset
from models.training.folder import TrainingFolder
from models.training.preset import PresetError
from models.training.regression import NOISE_LEVELS
from models.training.run import train as run
from models.training.tasks.regressor import RegressorTask
from tests.conftest import random_graphs
from tests.models.training.conftest import SHORT, guide_of, load_regressor_preset


@pytest.mark.filterwarnings("ignore:::lightning")  # whose own calls are deprecated
def test_a_regressor_joins_its_model_in_one_folder_that_can_be_served(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, "qm9")

    assert run(
        load_regressor_preset("qm9-regressor", *SHORT, 'properties=["logp", "mu"]'),
        folder,
        resume=False,
        progress=False,
    )

    card, guide = guide_of(folder.checkpoint)
    described = next(one for one in card.regressors if one.name == "qm9-regressor")
    assert [known.name for known in described.properties] == ["logp", "mu"]
    assert described.training.gradient_steps == 60
    assert described.training.finished
    for known in described.properties:
        assert set(known.mae) == set(NOISE_LEVELS)
        assert known.min < known.mean < known.max
        assert 0 < known.mae[0.0] < 2 * known.spread
        assert sum(known.histogram) == described.training.num_graphs
        assert known.histogram[0] > 0 < known.histogram[-1]  # it reaches from the least to the most
    # The model's other regressors came along.
    assert len(load_regressors(card, folder.checkpoint, "judge")) == 1
    predicted = guide(random_graphs([9, 5]), torch.tensor([0, 0]))
    assert predicted.location.shape == (2, 2)


@pytest.mark.filterwarnings("ignore:::lightning")  # whose own calls are deprecated
@pytest.mark.slow
def test_a_judge_leaves_the_guide_that_steers_as_it_was(tmp_path: Path, qm9_folder: Path) -> None:
    folder = TrainingFolder(tmp_path, "qm9")

    assert run(load_regressor_preset("qm9-judge", *SHORT, 'properties=["mu"]'), folder, resume=False, progress=False)

    (card, after), (_, before) = guide_of(folder.checkpoint), guide_of(qm9_folder)
    assert {one.name: one.role for one in card.regressors} == {"qm9-regressor": "guide", "qm9-judge": "judge"}
    assert [known.name for known in card.regressors[-1].properties] == ["mu"]
    graphs, time = random_graphs([9, 5]), torch.tensor([0, 0])
    assert torch.equal(after(graphs, time).location, before(graphs, time).location)


def test_guide_and_judge_learn_from_different_molecules() -> None:
    seen = {}
    for name in ("qm9-regressor", "qm9-judge"):
        task = RegressorTask(load_regressor_preset(name, *SHORT), Path("unused"), checkpoints=shipped_checkpoints())
        assert isinstance(task.train, LabelledDataset)
        graphs = task.train.graphs.graphs
        rows = torch.cat([graphs.nodes, graphs.edges.flatten(1), graphs.num_nodes[:, None]], dim=1)
        seen[name] = {row.numpy().tobytes() for row in rows}
        assert len(task.train) == {"qm9-regressor": 70_000, "qm9-judge": 45_728}[name]

    assert not seen["qm9-regressor"] & seen["qm9-judge"]


def test_a_property_that_qm9_does_not_have_is_named_beside_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="no property colour; it has mu, homo"):
        RegressorTask(
            load_regressor_preset("qm9-regressor", 'properties=["colour"]'), tmp_path, checkpoints=shipped_checkpoints()
        )
