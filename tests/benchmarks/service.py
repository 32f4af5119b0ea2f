"""(b), (c), (d) and the API's own speed: the whole service over HTTP, `digress serve` with its defaults."""

import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import torch

from app.catalogue.validation import complete
from app.schemas import GenerateRequest
from models.card.folder import shipped_checkpoints
from tests.benchmarks.comparison import Comparison, alternate, percentile_99, seconds
from tests.servers import stack, wait_until
from tests.worker.engine.batches import batches_of
from worker.encoding import encode
from worker.engine.engine import Engine
from worker.store import ModelStore

NUM_CORES = str(torch.get_num_threads())
SMALL_JOBS = 64
LARGE_JOBS, LARGE = 4, 1_000
IDLE_REQUESTS = 20
BUSY_SECONDS = 45
SUBMITS_PER_SECOND, SUBMIT_SECONDS = 100, 20
_seeds = count()


def many_small() -> list[Comparison]:
    """(b) One-graph jobs at once, against one after another."""
    with _service() as client:

        def at_once() -> float:
            with ThreadPoolExecutor(SMALL_JOBS) as pool:
                return SMALL_JOBS / seconds(lambda: list(pool.map(lambda _: _generate(client, 1), range(SMALL_JOBS))))

        def in_turn() -> float:
            return SMALL_JOBS / seconds(lambda: [_generate(client, 1) for _ in range(SMALL_JOBS)])

        found = alternate(2, {"at once": at_once, "in turn": in_turn})
    ratio = found["at once"] / found["in turn"]
    what = f"{SMALL_JOBS} one-graph jobs at once"
    return [
        Comparison(
            "b",
            what,
            found["at once"],
            "one after another",
            found["in turn"],
            "jobs/s",
            ratio,
            "figure/base",
            "≥ 8",
            ratio >= 8,
        )
    ]


def steady_state() -> list[Comparison]:
    """(c) Graphs a second through HTTP, against the bare engine that draws and encodes as many."""
    valid: list[float] = []
    engine = Engine(ModelStore(shipped_checkpoints(), torch.device("cpu")))
    with _service() as client, engine:

        def by_http() -> float:
            started = time.perf_counter()
            jobs = _in_threads(LARGE_JOBS, lambda: _generate(client, LARGE))
            took = time.perf_counter() - started
            valid.append(sum(job["summary"]["valid"] for job in jobs) / took)
            return LARGE_JOBS * LARGE / took

        def bare() -> float:
            started = time.perf_counter()
            _in_threads(LARGE_JOBS, lambda: _draw(engine))
            return LARGE_JOBS * LARGE / (time.perf_counter() - started)

        engine.prepare("qm9")
        found = alternate(2, {"http": by_http, "bare": bare})
    ratio, fastest = found["http"] / found["bare"], statistics.median(valid[1:])
    what = f"{LARGE_JOBS} jobs of {LARGE:,} through HTTP"
    return [
        Comparison(
            "c",
            what,
            found["http"],
            "the bare engine",
            found["bare"],
            "graphs/s",
            ratio,
            "figure/base",
            "≥ 0.9",
            ratio >= 0.9,
        ),
        Comparison(
            "c",
            "valid graphs through HTTP",
            fastest,
            "wanted",
            100,
            "graphs/s",
            fastest / 100,
            "figure/base",
            "≥ 1",
            fastest >= 100,
        ),
    ]


def beside_a_large_job() -> list[Comparison]:
    """(d) One-graph requests at half the rate that (b) reaches, while 1,000-graph jobs run, against an idle service."""
    with _service() as client:
        _generate(client, 1)
        with ThreadPoolExecutor(SMALL_JOBS) as pool:
            whole = seconds(lambda: list(pool.map(lambda _: _generate(client, 1), range(SMALL_JOBS))))
        rate = SMALL_JOBS / whole / 2
        idle = [seconds(lambda: _generate(client, 1)) for _ in range(IDLE_REQUESTS)]
        alone_in_large = LARGE / seconds(lambda: _generate(client, LARGE))
        with _always_a_large_job(client) as graphs_done:
            before, started = graphs_done(), time.perf_counter()
            busy = _at_rate(rate, BUSY_SECONDS, lambda: _generate(client, 1))
            in_large = (graphs_done() - before) / (time.perf_counter() - started)
    p50, alone = statistics.median(busy), statistics.median(idle)
    p99, alone_99 = percentile_99(busy), percentile_99(idle)
    what = f"of one-graph requests, {rate:.1f} a second, beside a job of {LARGE:,}"
    return [
        Comparison("d", f"p50 {what}", p50, "idle", alone, "s", p50 / alone, "figure/base", "≤ 3", p50 <= 3 * alone),
        Comparison("d", f"p99 {what}", p99, "idle", alone_99, "s", p99 / alone_99, "figure/base"),
        Comparison(
            "d",
            "the large job meanwhile",
            in_large,
            "alone",
            alone_in_large,
            "graphs/s",
            in_large / alone_in_large,
            "figure/base",
        ),
    ]


def submits() -> list[Comparison]:
    """How long the API takes to accept a job at 100 requests a second, measured with k6."""
    k6 = shutil.which("k6", path=str(Path(sys.executable).parent)) or shutil.which("k6")
    if k6 is None:
        print("no k6, so the API's own speed is not measured; install the extra: bench")  # noqa: T201
        return []
    with _service() as client, TemporaryDirectory() as folder:
        script, summary = Path(folder) / "submit.js", Path(folder) / "summary.json"
        script.write_text(_script(str(client.base_url)), encoding="utf-8")
        command = [k6, "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), str(script)]
        subprocess.run(command, check=True, capture_output=True)
        measured = json.loads(summary.read_text(encoding="utf-8"))["metrics"]
    if measured["checks"]["fails"] or measured.get("dropped_iterations", {}).get("count"):
        raise RuntimeError(f"not every submit was sent and accepted: {measured}")
    p50, p99 = (measured["http_req_duration"][name] for name in ("med", "p(99)"))
    what = f"p99 of a submit, {measured['http_reqs']['rate']:.0f} a second"
    return [Comparison("submit", what, p99, "its p50", p50, "ms", p99 / p50, "figure/base", "p99 < 50 ms", p99 < 50)]


def _script(address: str) -> str:
    return f"""
import http from 'k6/http';
import {{ check }} from 'k6';
export const options = {{
  summaryTrendStats: ['med', 'p(99)', 'max'],
  scenarios: {{ submit: {{ executor: 'constant-arrival-rate', rate: {SUBMITS_PER_SECOND}, timeUnit: '1s',
    duration: '{SUBMIT_SECONDS}s', preAllocatedVUs: 50, maxVUs: 200 }} }},
}};
export default function () {{
  const answer = http.post('{address}/generate', JSON.stringify({{model: 'qm9'}}),
    {{headers: {{'content-type': 'application/json'}}}});
  check(answer, {{accepted: (answer) => answer.status === 202}});
}}
"""


@contextmanager
def _service() -> Iterator[httpx2.Client]:
    with TemporaryDirectory() as folder, stack(Path(folder), {"OMP_NUM_THREADS": NUM_CORES}) as (client, _):
        yield client


def _generate(client: httpx2.Client, num_graphs: int) -> dict[str, Any]:
    """A job from its submission to its end, without the graphs' way back if it takes long."""
    return _ended(client, _submit(client, num_graphs, wait=60))


def _submit(client: httpx2.Client, num_graphs: int, *, wait: int | None = None) -> dict[str, Any]:
    body = {"model": "qm9", "num_graphs": num_graphs, "seed": next(_seeds)}
    answer = client.post("/generate", json=body, headers={"Prefer": f"wait={wait}"} if wait else None)
    job: dict[str, Any] = answer.raise_for_status().json()
    return job


def _ended(client: httpx2.Client, job: dict[str, Any]) -> dict[str, Any]:
    while job["status"] in {"queued", "running"}:
        time.sleep(0.05)
        job = client.get(job["links"]["self"], params={"graphs": False}).json()
    if job["status"] != "succeeded":
        raise RuntimeError(f"job {job['id']} ended {job['status']}: {job['error']}")
    return job


def _draw(engine: Engine) -> None:
    model = engine.store.model("qm9")
    request = complete(GenerateRequest(model="qm9", num_graphs=LARGE, seed=next(_seeds)), model.card)
    for batch in batches_of(engine.submit(request)):
        for _ in encode(batch, model.card):
            pass


def _in_threads(number: int, work: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(number) as pool:
        return [future.result() for future in [pool.submit(work) for _ in range(number)]]


@contextmanager
def _always_a_large_job(client: httpx2.Client) -> Iterator[Callable[[], float]]:
    """One that is replaced when it ends; gives how many graphs' worth of it all has been done."""
    enough = threading.Event()
    jobs = [_submit(client, LARGE)]

    def look() -> dict[str, Any]:
        job: dict[str, Any] = client.get(jobs[-1]["links"]["self"], params={"graphs": False}).json()
        return job

    def replace_it() -> None:
        while not enough.wait(0.2):
            if look()["status"] == "succeeded":
                jobs.append(_submit(client, LARGE))
            elif look()["status"] != "running":
                raise RuntimeError(f"the large job is {look()['status']}")

    wait_until(lambda: bool(look()["progress"]["fraction"]), seconds=30)
    thread = threading.Thread(target=replace_it)
    thread.start()
    try:
        yield lambda: LARGE * (len(jobs) - 1 + float(look()["progress"]["fraction"]))
    finally:
        is_alive = thread.is_alive()
        enough.set()
        thread.join()
    if not is_alive:
        raise RuntimeError("there was not always a large job beside the small ones")


def _at_rate(rate: float, duration: float, work: Callable[[], object]) -> Sequence[float]:
    """Seconds that each call took; they begin at a fixed rate, however long earlier ones take."""
    num_calls = int(rate * duration)
    started = time.perf_counter()

    def one(number: int) -> float:
        due = started + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        work()
        return time.perf_counter() - due

    with ThreadPoolExecutor(256) as pool:
        return list(pool.map(one, range(num_calls)))
