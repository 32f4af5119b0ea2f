"""The tutorial, typed from its first command to its last; only the training is shorter, of a smaller network."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.commands.supervisor import free_port
from tests.servers import running, wait_until

FOLDER = Path(__file__).parents[2] / "models" / "tutorials"
TEXT = (FOLDER / "serve_your_own_graphs.md").read_text(encoding="utf-8")
(SCRIPT,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
INSTALL, TRAIN, MEASURE, SERVE, ASK = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)

TINY = ["network.num_layers=1", "network.node_width=16", "network.edge_width=8", "sampling.num_steps=10"]


@pytest.fixture
def bash(tmp_path: Path) -> "Bash":
    return Bash(tmp_path)


class Bash:
    """One shell, in which variables that are set stay so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {"PATH": tools, "OMP_NUM_THREADS": "1", "DIGRESS_PORT": str(free_port())}

    def type_in(self, text: str) -> str:
        here = text.replace("localhost:8000", f"localhost:{self.environment['DIGRESS_PORT']}")
        self.environment |= dict(re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here],
            cwd=self.folder,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.slow
def test_the_tutorial_leads_from_a_file_to_graphs_that_are_steered(bash: Bash) -> None:
    (bash.folder / "make_networks.py").write_text(SCRIPT, encoding="utf-8")
    bash.type_in("python make_networks.py")

    shorter = " ".join(["--max-minutes 0.1", *(f"--set {change}" for change in TINY)])
    trained = bash.type_in(TRAIN.replace("--max-minutes 5", shorter))
    measured = bash.type_in(MEASURE.replace("-n 40", "-n 8 --no-likelihood"))

    assert "runs/networks/networks" in trained
    assert "clustering" in measured
    assert (bash.folder / "runs/networks/networks/plot.png").stat().st_size > 10_000
    log = bash.folder / "serve.log"
    with running(["bash", "-c", f"exec {SERVE.strip()}"], bash.environment, log, cwd=bash.folder) as process:
        wait_until(lambda: "ready:" in log.read_text(), seconds=60)
        said = bash.type_in(ASK)
        process.send_signal(signal.SIGINT)
        process.wait(30)
    jobs = [json.loads(text) for text in said.replace('}{"id"', '}\n{"id"').splitlines()]
    assert [(job["status"], len(job["graphs"])) for job in jobs] == [("succeeded", 4)] * 2
    assert all("clustering" in graph["graph"]["properties"] for graph in jobs[1]["graphs"])


def test_what_is_to_be_installed_there_is() -> None:
    extras = re.search(r"\.\[(.*)\]", INSTALL)

    assert extras is not None
    described = (FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", described, re.MULTILINE) for extra in extras.group(1).split(","))
