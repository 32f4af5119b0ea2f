"""`make fuzz`: ten thousand requests that the document allows or forbids, to a running service. A table, and JSON.

    .venv/bin/python -m tests.fuzz [--cases 10000] [--seed 0] [--out fuzz.json]

Ends with status 1 if an answer is not what /openapi.json says, or if anything failed by the service's fault.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.fuzz.run import fuzz

# Of each operation, and as many sequences of requests, by each seed.
_EXAMPLES = 200


def main() -> None:
    """Run, tell, write."""
    parser = argparse.ArgumentParser(description="schemathesis over a running service.")
    parser.add_argument("--cases", type=int, default=10_000, help="requests at the least")
    parser.add_argument("--seed", type=int, default=0, help="the first one; more follow until there are as many cases")
    parser.add_argument("--out", type=Path, default=Path("fuzz.json"), help="file for the report")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        outcome = fuzz(Path(folder), seed=arguments.seed, examples=_EXAMPLES, cases=arguments.cases)
    arguments.out.write_text(json.dumps(asdict(outcome), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _show(outcome.answers)
    for failure in outcome.failures:
        print(f"✗ {failure}")  # noqa: T201
    seeds = ", ".join(map(str, outcome.seeds))
    summary = (
        f"{outcome.cases:,} cases, {len(outcome.failures)} failures, seeds {seeds}, {outcome.seconds / 60:.1f} minutes"
    )
    print(f"{summary}; written to {arguments.out}")  # noqa: T201
    sys.exit(bool(outcome.failures))


def _show(answers: Mapping[str, Mapping[str, int]]) -> None:
    table = Table("operation", "answers", "by status")
    table.columns[0].overflow = "fold"
    for operation, counts in sorted(answers.items()):
        by_status = ", ".join(f"{status}: {number:,}" for status, number in counts.items())
        table.add_row(operation, f"{sum(counts.values()):,}", by_status)
    Console().print(table)


if __name__ == "__main__":
    main()
