"""The command line as a user meets it."""

import re
import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from typer.main import get_command

from app.cli import app
from tests.forked import digress
from tests.servers import DIGRESS


def examples(command: Any) -> list[str]:
    """Those that the help of a command and of its own commands ends in."""
    lines = (command.epilog or "").splitlines()[1:]
    return [*lines, *(line for known in getattr(command, "commands", {}).values() for line in examples(known))]


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "api",
        "worker",
        "models",
        "sample",
        "generate",
        "evaluate",
        "plot",
        "evaluate-guidance",
        "plot-guidance",
        "train",
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    done = digress(command, "--help")

    assert done.returncode == 0
    assert "Usage: digress" in done.stdout
    *_, last_lines = re.split(r"Examples: *\n", done.stdout)
    assert [f"digress {command}" in line for line in last_lines.strip().splitlines()] in (
        [True] * n for n in (2, 3, 4, 5)
    )


@pytest.mark.parametrize("example", [line for line in examples(get_command(app)) if "--install" not in line])
def test_an_example_of_the_help_can_be_typed_in(example: str) -> None:
    command: Any = get_command(app)
    (typed,) = re.findall(r"\bdigress ([^|)]+)", example)

    words = shlex.split(typed)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("digress", words)  # fails, if they are not its own


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "zinc"], "there is no model 'zinc'; available: comm20, "),
        (["sample", "qm8"], "there is no model 'qm8'; did you mean 'qm9'? available: comm20, "),
        (["sample", "qm9", "--num-nodes", "12"], "1 to 9 nodes"),
        (["sample", "qm9", "--num-nodes", "many"], "like 5-9, not 'many'"),
        (["sample", "qm9", "--num-nodes", "7-5"], "min = 7 must not exceed max = 5"),
        (["sample", "qm9", "--num-steps", "501"], "500 timesteps"),
        (["sample", "qm9", "--sampler", "magic"], "'renoise' or 'mixed', not \"magic\""),
        (["train", "zinc"], "there is no preset 'zinc'; available: comm20, planar, qm9"),
        (["train", "qm9", "--set", "training.batch_sise=4"], "training.batch_sise"),
        (["train", "qm9", "--set", "batch"], "write key=value"),
        (["train", "qm9", "--resume", "--out", "/nonexistent"], "no run to resume"),
        (["sample", "qm9", "--num-nodes", "0"], "num_nodes: Input should be greater than or equal to 1, not 0"),
        (["sample", "qm9", "--out", "/nonexistent/graphs.jsonl"], "/nonexistent/graphs.jsonl: No such file"),
        (["sample", "qm9", "--out", "/"], "/: Is a directory"),
        (
            ["sample", "qm9", "--out", "graphs.txt"],
            "--out ends in .jsonl, .ndjson, .json, .smi, .csv, .sdf, not 'graphs.txt'",
        ),
        (["sample", "comm20", "--out", "graphs.smi"], "graphs of comm20 are not molecules"),
        (["api"], "DIGRESS_REDIS_URL is not set"),
        (["sample", "qm9", "--target", "mu"], "like mu=2.5, not 'mu'"),
        (["sample", "qm9", "--target", "mu=high"], "like mu=2.5, not 'mu=high'"),
        (["sample", "qm9", "--target", "mu=-1"], "from 0 to 21.932 D, so it cannot aim at -1"),
        (["sample", "qm9", "--target", "mu=1", "--target", "mu=2"], "--target gives mu twice"),
        (["sample", "qm9", "--target", "mass=1"], "it has mu, homo, lumo, gap, logp, qed, mw"),
        (["sample", "qm9", "--candidates", "4"], "--candidates steers to a --target, and there is none"),
        (["evaluate-guidance", "qm9", "--property", "mu", "--measure", "rdkit"], "it measures mw, logp, qed, tpsa"),
        (["evaluate-guidance", "qm9", "--property", "mu", "--property", "mu"], "name each once"),
        (["evaluate-guidance", "zinc", "--property", "mu"], "there is no model 'zinc'"),
        (["plot-guidance", "qm9", "--property", "mu", "--target", "99"], "from 0 to 21.932 D, so it cannot aim at 99"),
        (
            ["plot-guidance", "qm9", "--property", "logp", "--target", "1", "--measure", "dft"],
            "dft cannot measure logp",
        ),
        (["plot-guidance", "qm9", "--property", "mu", "--target", "1", "--out", "a.txt"], "--out ends in .svg, .png"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(
    arguments: list[str], words: str, error_output: Callable[..., str]
) -> None:
    found = error_output(*arguments)

    assert words in found
    assert len(found.splitlines()) == 1


def test_a_mistake_is_told_without_a_traceback_and_in_the_exit_status() -> None:
    done = subprocess.run([DIGRESS, "sample", "zinc"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("digress: model: there is no model 'zinc'")
    assert len(done.stderr.splitlines()) == 1
