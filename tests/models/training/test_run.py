import csv
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from models.card.folder import read_card
from models.checkpoint import load_checkpoint, load_model
from models.generation import generate
from models.plan import GenerationPlan
from models.training.denoising import DiffusionModule
from models.training.folder import TrainingFolder
from models.training.preset import load_preset, saved_preset
from models.training.run import train as run
from tests.forked import forked
from tests.forked import run as run_forked
from tests.models.training.conftest import TINY, load_denoiser_preset
from tests.servers import DIGRESS, variables, wait_until


@pytest.mark.filterwarnings("ignore:::lightning")  # whose own calls are deprecated
def test_a_model_of_graphs_without_chemistry_is_trained_and_drawn_from(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, "comm20")
    run(load_preset("comm20", [*TINY, "training.max_steps=3"]), folder, resume=False, progress=False)

    model = load_model(folder.checkpoint)

    assert (model.card.domain, model.card.node_types, model.card.edge_types) == ("graph", ["node"], ["none", "edge"])
    assert model.card.training is not None
    assert model.card.training.dataset == "comm20"
    plan = GenerationPlan(5, 1, model.card.max_nodes, 0, "ancestral", "polydec", 3)
    for graphs in (batch.graphs for batch in generate(model, plan)):
        assert set(graphs.num_nodes.tolist()) <= set(model.card.size_distribution)
        assert graphs.edges.max() == 1
        assert torch.equal(graphs.edges, graphs.edges.mT)


@pytest.mark.filterwarnings("ignore:::lightning")  # whose own calls are deprecated
def test_what_a_training_began_with_is_in_its_card_and_not_needed_to_go_on(tmp_path: Path) -> None:
    first, second = TrainingFolder(tmp_path / "a", "comm20"), TrainingFolder(tmp_path / "b", "comm20")
    run(load_preset("comm20", [*TINY, "training.max_steps=2"]), first, resume=False, progress=False)
    sha256 = json.loads((first.checkpoint / "card.json").read_text())["weights"]["sha256"]
    start = f"training.start_from={first.checkpoint}"
    run(load_preset("comm20", [*TINY, "training.max_steps=2", start]), second, resume=False, progress=False)
    shutil.rmtree(first.root)

    run(saved_preset(second.root, ["training.max_steps=3"]), second, resume=True, progress=False)

    record = read_card(second.checkpoint).training
    assert record is not None
    assert record.gradient_steps == 3
    version = load_denoiser_preset("comm20").version
    assert f"Began with the weights of comm20 {version} (sha256 {sha256}), trained for" in record.notes[-1]
    assert record.recipe["start_from"] == "comm20"


def train(out: Path, *arguments: str) -> list[str]:
    overrides = [part for setting in TINY for part in ("--set", setting)]
    return [DIGRESS, "train", "qm9", "--out", str(out), *overrides, *arguments]


def logged_steps(out: Path) -> list[int]:
    steps = []
    for path in sorted(out.glob("logs/**/metrics.csv")):
        with path.open() as log:
            steps += [int(row["step"]) for row in csv.DictReader(log)]
    return steps


def test_a_killed_training_goes_on_where_it_was_saved_and_ends_in_a_checkpoint(tmp_path: Path) -> None:
    out = tmp_path / "run"
    endless = ("--set", "training.max_steps=100000", "--set", "training.save_minutes=0.05")
    with forked(train(out, *endless), {}, tmp_path / "log"):
        wait_until(lambda: (out / "state" / "last.ckpt").exists() and logged_steps(out) != [], seconds=150)
    before = logged_steps(out)
    saved = torch.load(out / "state" / "last.ckpt", weights_only=True)["global_step"]

    refused = run_forked(train(out))
    resumed = run_forked(train(out, "--resume", "--set", f"training.max_steps={saved + 120}"))

    assert saved > 20
    assert refused.returncode == 1
    assert "continue it with --resume" in refused.stderr
    assert resumed.returncode == 0, resumed.stderr
    card, denoiser = load_checkpoint(out / "qm9")
    assert card.training is not None
    assert card.training.gradient_steps == saved + 120
    assert card.training.finished
    assert denoiser.edge_head.linear.weight.abs().sum() > 0
    assert max(logged_steps(out)) >= saved + 100
    assert set(before) <= set(logged_steps(out))  # the first start's log is still there
    assert list(out.glob("logs/**/events.out.tfevents*"))


def tensors(state: Any) -> list[torch.Tensor]:
    """All tensors in nested dictionaries and lists, in order."""
    if isinstance(state, torch.Tensor):
        return [state.clone()]
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else []
    return [tensor for part in parts for tensor in tensors(part)]


@pytest.mark.filterwarnings("ignore:::lightning")  # whose own calls are deprecated
@pytest.mark.parametrize("optimizer", [pytest.param("adamw", marks=pytest.mark.slow), "muon"])
def test_resuming_restores_weights_average_and_optimizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    folder = TrainingFolder(tmp_path, "qm9")
    preset = load_preset("qm9", [*TINY, "training.max_steps=60", f"training.optimizer={optimizer}"])
    run(preset, folder, resume=False, progress=False)
    saved = torch.load(folder.state, weights_only=True)
    restored: dict[str, Any] = {}

    def capture(module: DiffusionModule) -> None:
        optimizers: Any = module.trainer.optimizers
        restored["weights"] = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        restored["moments"] = tensors(optimizers[0].state_dict())
        restored["minutes"], restored["step"] = module.clock.minutes, module.global_step
        DiffusionModule_on_train_start(module)

    DiffusionModule_on_train_start = DiffusionModule.on_train_start
    monkeypatch.setattr(DiffusionModule, "on_train_start", capture)
    run(saved_preset(tmp_path, ["training.max_steps=61"]), folder, resume=True, progress=False)

    again = torch.load(folder.state, weights_only=True)
    moments = tensors(saved["optimizer_states"][0])
    assert len(moments) > 20
    torch.testing.assert_close(restored["weights"], saved["current_model_state"], rtol=0, atol=0)
    torch.testing.assert_close(restored["moments"], moments, rtol=0, atol=0)
    assert restored["step"] == saved["global_step"] == 60
    assert restored["minutes"] >= saved["minutes"] > 0
    # One more step moves the average by its formula, from where it was.
    decay = min(0.999, 61 / 70)
    name = "denoiser.edge_head.linear.weight"
    expected = decay * saved["state_dict"][name] + (1 - decay) * again["current_model_state"][name]
    torch.testing.assert_close(again["state_dict"][name], expected)
    assert not torch.equal(again["state_dict"][name], again["current_model_state"][name])


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_stopped_training_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    with forked(train(tmp_path / "run"), {}, log) as process:
        wait_until(lambda: " 20/" in log.read_text(), seconds=60)
        process.send_signal(number)
        assert process.wait(60) == 1

    assert "continue with the same command and --resume" in log.read_text()
    assert (tmp_path / "run" / "state" / "last.ckpt").exists()


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    command = train(tmp_path, "--devices", "2", "--set", "training.max_steps=60")

    done = subprocess.run(command, env=variables({}), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    card, _ = load_checkpoint(tmp_path / "qm9")
    assert card.training is not None
    assert (card.training.gradient_steps, card.training.finished) == (60, True)


def test_training_for_some_minutes_ends_after_them_in_a_checkpoint_of_the_name_given(tmp_path: Path) -> None:
    started = time.monotonic()

    done = run_forked(train(tmp_path, "--max-minutes", "0.05", "--set", "name=mine"))

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 90
    assert str(tmp_path / "mine") in done.stdout
    training = read_card(tmp_path / "mine").training
    assert training is not None
    assert training.finished
    assert 0.05 <= training.minutes < 0.5
