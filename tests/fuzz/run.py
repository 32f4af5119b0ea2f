"""Runs of schemathesis over a running service, and what is to be said of them.

A fault need not show in an answer. So the log of the service may tell of none either, and no job may have failed by the
worker's fault.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2

from tests.fuzz.service import service

_ROOT = Path(__file__).parents[2]
_SETTINGS = Path(__file__).with_name("schemathesis.toml")
# What generates something else with every seed.
_RANDOM_PHASES = ("fuzzing", "stateful")
ALL_PHASES = ("examples", "coverage", *_RANDOM_PHASES)


@dataclass(frozen=True)
class Outcome:
    """What was run, and what it found."""

    seeds: list[int] = field(default_factory=list)
    cases: int = 0
    seconds: float = 0.0
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    """Operation -> status -> how often that was answered, to what checks send beside the cases too."""
    failures: list[str] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        operations = self.answers.keys() | other.answers.keys()
        return Outcome(
            seeds=self.seeds + other.seeds,
            cases=self.cases + other.cases,
            seconds=self.seconds + other.seconds,
            answers={name: _sum(self.answers.get(name, {}), other.answers.get(name, {})) for name in operations},
            failures=self.failures + other.failures,
        )


def _sum(these: Mapping[str, int], those: Mapping[str, int]) -> dict[str, int]:
    return {status: these.get(status, 0) + those.get(status, 0) for status in sorted(these.keys() | those.keys())}


def fuzz(folder: Path, *, seed: int, examples: int, cases: int, phases: Sequence[str] = ALL_PHASES) -> Outcome:
    """Run seeds from `seed` on, each with so many examples of every operation, until there were so many cases.

    Hypothesis gives up on a sequence of requests when it goes otherwise the second time, which the state of a service may
    well do; then schemathesis ends its stateful phase early. Hence several seeds.
    """
    outcome = Outcome()
    with service(folder) as (client, facts):
        while not outcome.failures and outcome.cases < cases:
            chosen = _RANDOM_PHASES if outcome.seeds else phases
            outcome += _run(folder, str(client.base_url), facts, seed + len(outcome.seeds), examples, chosen)
        return outcome + Outcome(failures=[*_faults(folder / "serve.log"), *_failed_jobs(client)])


def _run(folder: Path, url: str, facts: dict[str, str], seed: int, examples: int, phases: Sequence[str]) -> Outcome:
    report, answers = folder / f"report-{seed}.json", folder / f"answers-{seed}.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(_SETTINGS), "run", f"{url}/openapi.json"]
    command += ["--seed", str(seed), "--phases", ",".join(phases), "--max-examples", str(examples)]
    command += ["--report", "json", "--report-json-path", str(report)]
    subprocess.run(command, env=os.environ | facts | {"FUZZ_ANSWERS": str(answers)}, cwd=_ROOT, check=False)
    found = json.loads(report.read_bytes())
    counted = found["test_cases"]
    return Outcome(
        seeds=[seed],
        # Less those that could not be sent, or of which nothing can be checked.
        cases=counted["generated"] - counted["errored"] - counted["without_checks"],
        seconds=found["running_time"],
        answers=json.loads(answers.read_bytes()),
        failures=list(_failures(found)),
    )


def _failures(report: dict[str, Any]) -> Iterator[str]:
    """What schemathesis found, which it has printed at length."""
    for failure in report["failures"]:
        yield f"{failure['title']}: {', '.join(failure['operations'])}"
    for error in report["errors"]:
        yield error["title"]
    if not report["complete"] or report["operations"]["tested"] < report["operations"]["total"]:
        yield f"the run did not come to its end: {report['stop_reason']}, {report['operations']}"


def _faults(log: Path) -> Iterator[str]:
    """What API and worker call an error, less that jobs lose the model that they waited for, since it is unloaded here at times."""
    # Two processes write to it, at times into each other's lines.
    for line in log.read_text(encoding="utf-8").splitlines():
        if re.search('"level": "(error|critical)"', line) and "has been unloaded" not in line:
            yield f"in the log: {line}"


def _failed_jobs(client: httpx2.Client) -> Iterator[str]:
    """Jobs that failed by the worker's fault, not for want of time or of a model."""
    here: str | None = "/jobs?limit=200"
    while here:
        page = client.get(here).json()
        for job in page["jobs"]:
            if job["error"] and job["error"]["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
                yield f"job {job['id']}: {job['error']['detail']}; {json.dumps(job['request'])}"
        here = page["next"]
