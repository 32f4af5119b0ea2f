"""A user's own file, from training to graphs."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from models.card.folder import read_card
from models.data import qm9
from models.descriptors import describe
from tests.forked import digress

TINY = ["network.num_layers=1", "network.node_width=16", "network.edge_width=8", "training.batch_size=16"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "My molecules.csv"
    rows = [f"{smiles},{describe(smiles)['logp']:.3f}" for smiles in qm9.read_smiles()["train"][:120]]
    path.write_text("\n".join(["smiles,LogP", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def out(file: Path) -> Path:
    changes = [part for change in TINY for part in ("--set", change)]
    done = digress("train", "--data", str(file), "--max-minutes", "0.05", *changes, cwd=file.parent)
    assert done.returncode == 0, done.stderr
    assert "properties that graphs can be steered to: logp\n" in done.stdout
    assert "runs/my-molecules/my-molecules" in done.stdout
    return file.parent / "runs" / "my-molecules"


def test_the_card_says_what_was_in_the_file(out: Path) -> None:
    card = read_card(out / "my-molecules")

    assert card.domain == "molecule"
    assert set(card.node_types) <= set(qm9.NODE_TYPES)
    assert list(card.properties) == ["logp"]
    assert card.training is not None
    assert (card.training.dataset, card.training.num_graphs) == ("My molecules.csv", 96)
    assert str(out.parent) not in card.model_dump_json(), "a path of this machine"


def test_graphs_are_drawn_and_steered_at_once(out: Path) -> None:
    arguments = ["sample", "my-molecules", "-n", "3", "--num-steps", "5", "--target", "logp=0.5"]

    done = digress(*arguments, DIGRESS_CHECKPOINTS=str(out))

    graphs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(graphs) == 3, done.stderr
    assert all("logp" in graph["graph"]["properties"] for graph in graphs)


def test_the_model_is_measured_against_its_file_by_a_command_that_can_be_repeated(out: Path, file: Path) -> None:
    arguments = ["evaluate", "my-molecules", "-n", "40", "--num-steps", "10", "--no-likelihood", "--json"]

    once = json.loads(digress(*arguments, "--data", str(file), DIGRESS_CHECKPOINTS=str(out)).stdout)
    repeated = shlex.split(once["command"])[1:]
    again = json.loads(digress(*repeated, cwd=file.parent, DIGRESS_CHECKPOINTS=str(out)).stdout)

    assert 0 < once["values"]["valid"] <= 1
    assert {"fcd", "novel"} <= once["values"].keys()
    for measured in (once, again):
        del measured["values"]["graphs_per_second"]
    assert again == once


def test_the_model_is_measured_against_no_other_file(out: Path, file: Path) -> None:
    arguments = ["evaluate", "my-molecules", "-n", "40", "--num-steps", "5", "--json"]

    lost = digress(*arguments, DIGRESS_CHECKPOINTS=str(out))
    other = digress(*arguments, "--data", str(write_smiles(file)), DIGRESS_CHECKPOINTS=str(out))

    assert "was trained on My molecules.csv; give its file by --data" in lost.stderr
    assert "is not what 'my-molecules' was trained on" in other.stderr


def write_smiles(beside: Path) -> Path:
    path = beside.with_name("other.smi")
    path.write_text("C\nCC\n" * 10)
    return path


def test_a_run_goes_on_with_its_file_and_not_with_another(out: Path, file: Path) -> None:
    again = digress("train", "--data", str(file), "--out", str(out))
    content = file.read_text()
    file.write_text(content + "C,1.0\n")
    changed = digress("train", "--data", str(file), "--out", str(out), "--resume")
    file.write_text(content)

    assert "continue it with --resume" in again.stderr
    assert "has changed since this run was begun" in changed.stderr
    assert changed.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a preset (comm20"),
        (["qm9", "--data", "a.smi"], "one of the two"),
        (["--data", "a.smi"], "a.smi: No such file"),
        (["qm9", "--name", "mine"], "--name is for --data"),
    ],
)
def test_what_to_train_must_be_said_once(arguments: list[str], words: str, error_output: Callable[..., str]) -> None:
    assert words in error_output("train", *arguments)
