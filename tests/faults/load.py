"""`make load`: a thousand jobs queued at once by two API keys, the one's before the other's.

Submitting must stay quick (99 of 100 in less than 50 ms), all jobs must end, and the second key must not wait for the first:
from when both have jobs waiting, workers take as many of the one's as of the other's. Redis is reached directly and writes to
its file as in docker-compose.yml.

Then the workers stop, and two thousand event streams and five hundred callers wait for jobs while others submit: 99 of 100 of
these in less than 100 ms, and no stream is dropped (`tests.faults.crowd`).
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.faults.chaos import quantiles, say
from tests.faults.crowd import crowd
from tests.faults.site import ADMIN_KEY, Site, site

_NAMES = ("first", "second")
_MOST_SUBMIT_SECONDS = 0.05
# Jobs of one key that workers may have begun more than of the other's, beside those taken before both waited.
_MOST_AHEAD = 16
_BODY = {"model": "qm9", "num_graphs": 4, "num_steps": 20}
_WARM_UP = 20
_NUM_CROWD_KEYS = 4
_SUBMITS_BESIDE = 300


async def run(num_jobs: int, seed: int, callers: int, *, num_streams: int, num_waiting: int) -> dict[str, Any]:
    """The whole run; returns the report."""
    with site(is_hurt=False, DIGRESS_JOB_TTL_SECONDS="3600", DIGRESS_MAX_JOBS="8", OMP_NUM_THREADS="1") as place:
        report = await jobs_at_once(place, num_jobs, seed, callers)
        for name in ("worker-a", "worker-b"):
            place.signal(name, signal.SIGTERM)
            await place.wait_for_end(name)
        many = [place.key(f"many-{number}") for number in range(_NUM_CROWD_KEYS)]
        waiting = await crowd(place, many, num_streams, num_waiting, _SUBMITS_BESIDE)
    return {**report, "crowd": waiting, "violations": report["violations"] + waiting["violations"]}


async def jobs_at_once(place: Site, num_jobs: int, seed: int, callers: int) -> dict[str, Any]:
    """Many jobs by two keys."""
    keys = {name: place.key(name) for name in _NAMES}
    await submit(place, keys["first"], _WARM_UP, seed=seed, callers=1)  # the API's first requests find nothing warm
    started = time.monotonic()
    seconds: list[float] = []
    for name in _NAMES:
        seconds += await submit(place, keys[name], num_jobs // len(_NAMES), seed=seed, callers=callers)
    submitted = time.monotonic()
    async with place.client(ADMIN_KEY) as client:
        await until_done(client)
        ended = time.monotonic()
        begun = {name: await starts(place, keys[name]) for name in _NAMES}
        jobs = await list_jobs(client)
    both_wait = min(at for at, _ in begun["second"])  # the moment at which the second key asked for its first job
    order = sorted((start, name) for name in _NAMES for _, start in begun[name] if start > both_wait)
    ahead = most_ahead([name for _, name in order])
    p99 = quantiles(seconds)["p99"]
    failed = [job["id"] for job in jobs if job["status"] != "succeeded"]
    return {
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, 2 workers",
        "seed": seed,
        "callers_at_a_time": callers,
        "jobs": len(seconds),
        "submit_seconds": quantiles(seconds),
        "submits_per_second": round(len(seconds) / (submitted - started), 1),
        "jobs_per_second": round(len(jobs) / (ended - started), 2),
        "not_succeeded": failed,
        "most_ahead": ahead,
        "violations": [
            *([f"99 of 100 submits took up to {p99} s"] if p99 >= _MOST_SUBMIT_SECONDS else []),
            *([f"{len(failed)} jobs did not succeed"] if failed else []),
            *([] if len(jobs) == num_jobs + _WARM_UP else [f"{len(jobs)} jobs are listed"]),
            *(
                []
                if len(order) > len(seconds) / 2
                else [f"only {len(order)} jobs began while both keys had some waiting"]
            ),
            *([f"one key was {ahead} jobs ahead"] if ahead > _MOST_AHEAD else []),
        ],
    }


async def submit(place: Site, key: str, number: int, *, seed: int, callers: int) -> list[float]:
    """Queue so many jobs; each caller waits for an answer before it asks again. Returns the seconds that each took."""
    seconds: list[float] = []
    seeds = itertools.count(seed)

    async def call(count: int) -> None:
        async with place.client(key) as client:
            for _ in range(count):
                begun = time.perf_counter()
                answer = await client.post("/generate", json=_BODY | {"seed": next(seeds)})
                seconds.append(time.perf_counter() - begun)
                assert answer.status_code == 202, answer.text

    await asyncio.gather(*(call(number // callers) for _ in range(callers)))
    return seconds


async def until_done(client: httpx2.AsyncClient) -> None:
    """Return when no job waits or runs; say how far it is."""
    while True:
        jobs = await list_jobs(client)
        left = sum(job["status"] in {"queued", "running"} for job in jobs)
        say(f"{len(jobs) - left} of {len(jobs)} jobs have ended")
        if not left:
            return
        await asyncio.sleep(10)


async def list_jobs(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """All jobs that the client's key may see."""
    jobs: list[dict[str, Any]] = []
    path: str | None = "/jobs?limit=200"
    while path:
        page = (await client.get(path)).json()
        jobs += page["jobs"]
        path = page["next"]
    return jobs


async def starts(place: Site, key: str) -> list[tuple[str, str]]:
    """When each of a key's jobs was asked for, and when it was begun."""
    async with place.client(key) as client:
        return [(job["created_at"], job["started_at"]) for job in await list_jobs(client)]


def most_ahead(order: list[str]) -> int:
    """By how many jobs either key was ahead of the other, as long as both had some waiting."""
    counts = dict.fromkeys(_NAMES, 0)
    total, most = {name: order.count(name) for name in _NAMES}, 0
    for name in order:
        counts[name] += 1
        if any(counts[other] == total[other] for other in _NAMES):
            break
        most = max(most, abs(counts["first"] - counts["second"]))
    return most


def main() -> int:
    """Run, write the report; 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first job; the others' follow")
    parser.add_argument("--callers", type=int, default=1, help="that submit at the same time")
    parser.add_argument("--streams", type=int, default=2_000, help="idle event streams, afterwards")
    parser.add_argument("--waiting", type=int, default=500, help="callers with `Prefer: wait`, beside them")
    parser.add_argument("--out", type=Path, default=Path("load.json"))
    options = parser.parse_args()
    report = asyncio.run(
        run(options.jobs, options.seed, options.callers, num_streams=options.streams, num_waiting=options.waiting)
    )
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    say(json.dumps(report, indent=1))
    return 1 if report["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
