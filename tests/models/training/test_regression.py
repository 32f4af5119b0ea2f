import math
from pathlib import Path

import torch

from models.checkpoint import load_regressors
from models.data import qm9, qm9_properties
from models.training.preset import RegressorTraining
from models.training.regression import RegressionModule
from tests.conftest import make_card, make_denoiser, make_regressor_card
from tests.models.training.conftest import guide_of


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
