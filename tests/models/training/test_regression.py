import math
from pathlib import Path

import pytest
import torch

from models.card.card import ModelCard
from models.card.folder import shipped_checkpoints
from models.checkpoint import load_checkpoint, load_regressors
from models.data import qm9, qm9_properties
from models.data.batches import LabelledDataset
from models.networks.regressor import Regressor
from models.training.folder import TrainingFolder
from models.training.preset import PresetError, RegressorPreset, RegressorTraining, load_preset
from models.training.regression import NOISE_LEVELS, RegressionModule
from models.training.run import train as run
from models.training.tasks.regressor import RegressorTask
from tests.conftest import make_card, make_denoiser, make_regressor_card, random_graphs
from tests.forked import run as run_forked
from tests.models.training.test_run import TINY
from tests.servers import DIGRESS

SHORT = [*TINY, "training.max_steps=60", "training.test_graphs=200"]


def preset(name: str, *overrides: str) -> RegressorPreset:
    loaded = load_preset(name, overrides)
    assert isinstance(loaded, RegressorPreset)
    return loaded


def guide_of(folder: Path) -> tuple[ModelCard, Regressor]:
    card, _ = load_checkpoint(folder)
    (guide,) = load_regressors(card, folder, "guide")
    return card, guide


@pytest.mark.filterwarnings("ignore:::lightning")  # whose own calls are deprecated
def test_a_regressor_joins_its_model_in_one_folder_that_can_be_served(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, "qm9")

    assert run(preset("qm9-regressor", *SHORT, 'properties=["logp", "mu"]'), folder, resume=False, progress=False)

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

    assert run(preset("qm9-judge", *SHORT, 'properties=["mu"]'), folder, resume=False, progress=False)

    (card, after), (_, before) = guide_of(folder.checkpoint), guide_of(qm9_folder)
    assert {one.name: one.role for one in card.regressors} == {"qm9-regressor": "guide", "qm9-judge": "judge"}
    assert [known.name for known in card.regressors[-1].properties] == ["mu"]
    graphs, time = random_graphs([9, 5]), torch.tensor([0, 0])
    assert torch.equal(after(graphs, time).location, before(graphs, time).location)


def test_guide_and_judge_learn_from_different_molecules() -> None:
    seen = {}
    for name in ("qm9-regressor", "qm9-judge"):
        task = RegressorTask(preset(name, *SHORT), Path("unused"), checkpoints=shipped_checkpoints())
        assert isinstance(task.train, LabelledDataset)
        graphs = task.train.graphs.graphs
        rows = torch.cat([graphs.nodes, graphs.edges.flatten(1), graphs.num_nodes[:, None]], dim=1)
        seen[name] = {row.numpy().tobytes() for row in rows}
        assert len(task.train) == {"qm9-regressor": 70_000, "qm9-judge": 45_728}[name]

    assert not seen["qm9-regressor"] & seen["qm9-judge"]


def test_a_property_that_qm9_does_not_have_is_named_beside_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="no property colour; it has mu, homo"):
        RegressorTask(preset("qm9-regressor", 'properties=["colour"]'), tmp_path, checkpoints=shipped_checkpoints())


def test_the_command_names_what_is_wrong_and_leaves_nothing_behind(tmp_path: Path) -> None:
    answer = run_forked([DIGRESS, "train", "qm9-regressor", "--set", "model=zinc", "--out", str(tmp_path / "run")])

    assert answer.returncode == 1
    assert "zinc" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_regressor_starts_from_the_trunk_of_its_denoiser() -> None:
    card = make_card()
    module, denoiser = RegressionModule(card, make_regressor_card(), RegressorTraining()), make_denoiser(card)

    module.start_from(denoiser)

    own, other = module.regressor.state_dict(), denoiser.state_dict()
    shared = [name for name in own if name in other]
    assert len(shared) > 40
    assert all(torch.equal(own[name], other[name]) for name in shared)


def test_a_share_of_the_graphs_is_clean_and_the_others_are_noisy() -> None:
    module = RegressionModule(make_card(), make_regressor_card(), RegressorTraining(clean_share=0.25))

    times = module._draw_time(torch.arange(1_000))

    assert (times == 0).sum() == 250
    assert set(times[250:].tolist()) == set(range(1, 51))


def test_the_shipped_guide_beats_a_blind_guess_by_far_and_knows_its_error(qm9_folder: Path) -> None:
    card, guide = guide_of(qm9_folder)
    (judge,) = load_regressors(card, qm9_folder, "judge")
    names = [source.name for source in qm9_properties.PROPERTIES]
    graphs, values = qm9.load_qm9().test[:500].long(), qm9_properties.load_properties()["test"][:500]
    clean = torch.zeros(500, dtype=torch.long)

    for network in (guide, judge):
        predicted = network(graphs, clean)
        errors = (predicted.location - values).abs().mean(0)
        expected = predicted.mean_absolute_deviation.mean(0)
        for name, most in (("mu", 0.6), ("homo", 0.11), ("logp", 0.03)):
            error = float(errors[names.index(name)])
            assert error < most
            # No regressor claims to be surer than its smallest scale, a hundredth of a standard deviation.
            surest = 2 * math.log(2) * 0.01 * float(network.std[names.index(name)])
            assert 0.5 * error < float(expected[names.index(name)]) < 2 * max(error, surest)
