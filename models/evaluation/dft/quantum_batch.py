"""Many molecules through density-functional theory: in parallel, each computed once, resumable at any moment.

Results are kept in a file in the user's cache folder that is named after the method and the packages it uses: a line of JSON per molecule,
written as soon as it is known. Running the same again picks up where it stopped.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread

from models.data.cache import cache_folder
from models.evaluation.dft import quantum
from models.evaluation.dft.quantum import QuantumError, compute

Values = dict[str, float]


def compute_all(
    smiles: Sequence[str], *, jobs: int = 1, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Values | None]:
    """Properties of every distinct molecule; None for one that `compute` raises a `QuantumError` for.

    `on_progress` is called with how many of how many are known. It starts processes, so a script that calls it needs the
    usual `if __name__ == "__main__"`.
    """
    known = _read(_cache_file())
    wanted = list(dict.fromkeys(smiles))
    missing = [text for text in wanted if text not in known]
    on_progress(len(wanted) - len(missing), len(wanted))
    if missing:
        # Spawned, so that each has a thread pool of its own; one thread each, set where the work is done.
        pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_end_with_parent)
        try:
            futures = {pool.submit(_outcome, text): text for text in missing}
            for done, future in enumerate(as_completed(futures), len(wanted) - len(missing) + 1):
                known[futures[future]] = future.result()
                _append(_cache_file(), futures[future], future.result())
                on_progress(done, len(wanted))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return {text: known[text] for text in wanted}


def _end_with_parent() -> None:
    """Let this process end when the one that started it does, even if that one is killed."""
    parent = parent_process()
    if parent is not None:
        Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def _outcome(smiles: str) -> Values | None:
    try:
        return compute(smiles).as_dict()
    except QuantumError:
        return None


def _cache_file() -> Path:
    versions = " ".join(version(package) for package in ("rdkit", "tblite", "pyscf"))
    code = hashlib.sha256(Path(quantum.__file__).read_bytes() + versions.encode()).hexdigest()[:12]
    return cache_folder() / f"dft-{code}.jsonl"


def _read(path: Path) -> dict[str, Values | None]:
    if not path.is_file():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # an empty line, or one that a kill cut short
        known[entry["smiles"]] = entry["values"]
    return known


def _append(path: Path, smiles: str, values: Values | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        # The line break comes first: it ends a line that a kill cut short.
        file.write("\n" + json.dumps({"smiles": smiles, "values": values}))
