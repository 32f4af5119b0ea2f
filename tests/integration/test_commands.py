"""The command line as a user meets it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from app.cli import app
from app.commands.supervisor import free_port
from models.card.folder import write_card
from tests.conftest import make_card, make_record
from tests.forked import run
from tests.servers import DIGRESS


def examples(command: Any) -> list[str]:
    """Those that the help of a command and of its own commands ends in."""
    lines = (command.epilog or "").splitlines()[1:]
    return [*lines, *(line for known in getattr(command, "commands", {}).values() for line in examples(known))]


def digress(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([DIGRESS, *arguments], {"COLUMNS": "200", **environment}, cwd=cwd)


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
            "--out ends in .jsonl, .ndjson, .json, .smi, .sdf, not 'graphs.txt'",
        ),
        (["sample", "comm20", "--out", "graphs.smi"], "graphs of comm20 are not molecules"),
        (["api"], "DIGRESS_REDIS_URL is not set"),
        (["sample", "qm9", "--target", "mu"], "like mu=2.5, not 'mu'"),
        (["sample", "qm9", "--target", "mu=high"], "like mu=2.5, not 'mu=high'"),
        (["sample", "qm9", "--target", "mu=-1"], "from 0 to 21.932 D, so it cannot aim at -1"),
        (["sample", "qm9", "--target", "mu=1", "--target", "mu=2"], "--target gives mu twice"),
        (["sample", "qm9", "--target", "mass=1"], "it has mu, homo, lumo, gap, logp, qed, mw"),
        (["sample", "qm9", "--candidates", "4"], "--candidates steers to a --target, and there is none"),
        (["evaluate-guidance", "qm9", "--property", "mu", "--measure", "rdkit"], "it tells logp, qed, mw"),
        (["evaluate-guidance", "qm9", "--property", "mu", "--property", "mu"], "name each once"),
        (["evaluate-guidance", "zinc", "--property", "mu"], "there is no model 'zinc'"),
        (["plot-guidance", "qm9", "--property", "mu", "--target", "99"], "from 0 to 21.932 D, so it cannot aim at 99"),
        (["plot-guidance", "qm9", "--property", "logp", "--target", "1", "--measure", "dft"], "dft does not tell logp"),
        (["plot-guidance", "qm9", "--property", "mu", "--target", "1", "--out", "a.txt"], "--out ends in .svg, .png"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(
    arguments: list[str], words: str, complaint: Callable[..., str]
) -> None:
    found = complaint(*arguments)

    assert words in found
    assert len(found.splitlines()) == 1


def test_a_mistake_is_told_without_a_traceback_and_in_the_exit_status() -> None:
    done = subprocess.run([DIGRESS, "sample", "zinc"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("digress: model: there is no model 'zinc'")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DIGRESS_AUTH": "keys"}, "a Redis that is started here has none: set DIGRESS_ADMIN_KEY"),
        ({"DIGRESS_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "the Redis of DIGRESS_REDIS_URL cannot be used: "),
    ],
)
def test_serve_says_at_once_what_it_lacks(environment: dict[str, str], words: str) -> None:
    found = {**os.environ, "DIGRESS_PORT": str(free_port()), **environment}
    done = subprocess.run([DIGRESS, "serve"], env=found, capture_output=True, text=True, check=False, timeout=20)

    assert done.returncode == 1
    assert words in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_bash_completes_commands_models_and_names(tmp_path: Path) -> None:
    script = """
        digress --install-completion && source ~/.bashrc
        complete_words() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _digress_completion digress
            echo "${COMPREPLY[*]}"
        }
        complete_words digress gen
        complete_words digress sample q
        complete_words digress generate qm9 --sampler m
        complete_words digress generate qm9 --target h
        complete_words digress sample qm9 --filter ''
    """
    path = f"{Path(DIGRESS).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | {"HOME": str(tmp_path), "PATH": path}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-5:] == ["generate", "qm9 qm9-h", "mixed", "homo=", "valid unique connected"]


def test_completion_is_quick_for_it_needs_no_server_and_no_network() -> None:
    code = (
        "import sys, app.cli; from app.commands.shell_completion import model_names, target_prefixes; model_names(), target_prefixes();"
        "sys.exit(' '.join({'torch', 'rdkit', 'fastapi', 'redis', 'httpx2'} & set(sys.modules)) or None)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_bad_setting_is_named_as_the_user_knows_it() -> None:
    done = digress("models", DIGRESS_PORT="eighty")

    assert done.returncode == 1
    assert "DIGRESS_PORT" in done.stderr


def test_a_host_that_is_none_is_named() -> None:
    done = digress("serve", DIGRESS_HOST="no such host")

    assert done.returncode == 1
    assert "cannot listen on no such host:8000" in done.stderr
    assert "DIGRESS_HOST" in done.stderr
    assert "Traceback" not in done.stderr


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


def test_samples_go_to_a_file_and_its_size_is_as_asked(tmp_path: Path) -> None:
    out = tmp_path / "graphs.jsonl"

    done = digress("sample", "qm9", "-n", "3", "--num-nodes", "6", "--num-steps", "5", "--out", str(out))

    assert (done.returncode, done.stdout) == (0, "")
    assert [len(json.loads(line)["nodes"]) for line in out.read_text().splitlines()] == [6, 6, 6]


def test_sample_draws_again_what_the_filter_turns_down() -> None:
    wishes = ["--filter", "valid", "--filter", "unique"]
    done = digress("sample", "qm9", "-n", "40", "--num-nodes", "2", "--num-steps", "5", "--seed", "1", *wishes)

    found = [json.loads(line)["graph"]["smiles"] for line in done.stdout.splitlines()]
    assert len(found) == len(set(found)) < 40  # there are not as many molecules of two atoms
    assert None not in found
    assert f"{40 - len(found)} graphs short" in done.stderr
    assert done.returncode == 4


def test_evaluation_is_one_json_object() -> None:
    done = digress("evaluate", "qm9", "-n", "60", "--num-steps", "20", "--json")

    measured = json.loads(done.stdout)
    assert measured["num_graphs"] == 60
    assert measured["num_steps"] == 20
    assert measured["values"]["valid"] > 0.85
    assert measured["values"]["fcd"] > 0
    assert measured["values"]["distance_logp"] > 0
    terms = {name: value for name, value in measured["values"].items() if name.startswith("nll")}
    assert terms.pop("nll") == pytest.approx(sum(terms.values()))
    assert len(terms) == 7


@pytest.fixture(scope="module")
def measured_comm20() -> Any:
    done = digress("evaluate", "comm20", "-n", "24", "--num-steps", "20", "--no-likelihood", "--json")
    return json.loads(done.stdout)


def test_graphs_without_chemistry_are_evaluated_by_their_own_measures(measured_comm20: Any) -> None:
    values = measured_comm20["values"]

    assert values["vun"] > 0.5
    assert values["ratio_degree"] < 20
    assert "fcd" not in values


def test_the_likelihood_is_left_out_on_demand(measured_comm20: Any) -> None:
    assert "--no-likelihood" in measured_comm20["command"]
    assert not any(name.startswith("nll") for name in measured_comm20["values"])


def test_a_model_is_drawn(tmp_path: Path) -> None:
    done = digress("plot", "comm20", "--out", "picture.png", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "picture.png\n")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_guidance_compares_guided_and_unguided_graphs(tmp_path: Path, qm9_folder: Path) -> None:
    shutil.copytree(qm9_folder, tmp_path / "qm9")
    common = ["evaluate-guidance", "qm9", "--measure", "rdkit", "-n", "24", "--num-steps", "20", "--json", "--save"]

    def measure(name: str) -> Any:
        return json.loads(digress(*common, "--property", name, DIGRESS_CHECKPOINTS=str(tmp_path)).stdout)

    with ThreadPoolExecutor() as pool:
        measured, other = pool.map(measure, ("logp", "qed"))

    assert measured["mae"]["logp"] < 0.7 * measured["unguided_mae"]["logp"]
    assert measured["ratio"] == pytest.approx(measured["mae"]["logp"] / measured["unguided_mae"]["logp"], abs=1e-3)
    assert measured["valid"] > 0.8
    assert "--guidance-scale 20" in measured["command"]
    # Neither run took the other's measurement out of the card.
    saved = json.loads((tmp_path / "qm9" / "card.json").read_text())["guidance_metrics"]
    assert measured in saved
    assert other in saved


def test_a_model_without_regressors_cannot_be_measured_and_says_so(tmp_path: Path, qm9_folder: Path) -> None:
    plain = tmp_path / "qm9"
    shutil.copytree(qm9_folder, plain)
    card = json.loads((plain / "card.json").read_text())
    (plain / "card.json").write_text(json.dumps(card | {"regressors": []}))

    for command in (["evaluate-guidance"], ["plot-guidance", "--target", "1"]):
        done = digress(*command, "qm9", "--property", "logp", "--measure", "rdkit", DIGRESS_CHECKPOINTS=str(tmp_path))

        assert done.returncode == 1
        assert "qm9 has no regressor" in done.stderr
        assert "Traceback" not in done.stderr


def test_what_the_judge_does_not_tell_is_said_before_any_work(tmp_path: Path, qm9_folder: Path) -> None:
    shutil.copytree(qm9_folder, tmp_path / "qm9")
    text = (tmp_path / "qm9" / "card.json").read_text()
    (tmp_path / "qm9" / "card.json").write_text(text.replace('"name": "homo"', '"name": "other"', 1))
    out = tmp_path / "plot.svg"

    for command in (["evaluate-guidance"], ["plot-guidance", "--target", "-6", "--out", str(out)]):
        done = digress(*command, "qm9", "--property", "homo", DIGRESS_CHECKPOINTS=str(tmp_path))

        assert done.returncode == 1
        assert "judge does not tell homo; it tells mu, lumo" in done.stderr
        assert "Traceback" not in done.stderr
    assert not out.exists()


def test_plot_guidance_writes_a_picture(tmp_path: Path) -> None:
    out = tmp_path / "logp.svg"
    steering = ["--property", "logp", "--measure", "rdkit", "--target", "-1", "--target", "2"]

    done = digress("plot-guidance", "qm9", *steering, "-n", "8", "--out", str(out))

    assert done.returncode == 0, done.stderr
    assert "<svg" in out.read_text()
