"""`make bench`: every figure beside another one of the same run, turn by turn where that can be. A table, and JSON.

    .venv/bin/python -m tests.benchmarks [PART …] [--out bench.json]

Parts: a b c d e f submit. Leave the machine alone meanwhile.
"""

import argparse
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from models.compute.precision import has_native_bfloat16
from models.compute.threads import prepare_thread
from tests.benchmarks import service, steps
from tests.benchmarks.comparison import Comparison, show

PARTS: Mapping[str, Callable[[], Sequence[Comparison]]] = {
    "a": steps.published_size,
    "b": service.many_small,
    "c": service.steady_state,
    "d": service.beside_a_large_job,
    "e": steps.growth,
    "f": steps.products,
    "submit": service.submits,
}


def main() -> None:
    """Measure the parts that are asked for, all if none is."""
    parser = argparse.ArgumentParser(description="Benchmarks of the service and of its steps.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all if left out")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="file for the figures")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    num_threads = torch.get_num_threads()
    prepare_thread()
    rows: list[Comparison] = []
    for name in arguments.parts or PARTS:
        # A step is what one core does; the service has all of them.
        torch.set_num_threads(1 if PARTS[name].__module__ == steps.__name__ else num_threads)
        print(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", flush=True)  # noqa: T201
        rows += PARTS[name]()
    show(rows)
    about = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": num_threads,
        "processor": platform.processor() or platform.machine(),
        "bfloat16": has_native_bfloat16(torch.device("cpu")),
        "torch": torch.__version__,
        "rows": [asdict(row) for row in rows],
    }
    arguments.out.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {arguments.out}")  # noqa: T201


if __name__ == "__main__":
    main()
