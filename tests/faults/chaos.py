"""`make chaos`: the service at four fifths of what it can do, while everything that can go wrong does.

Workers are killed and stopped, Redis is killed and cut off, callers hang up, cancel and send nonsense. Every job that was
accepted must end once, in the right state, with the graphs that its seed determines; none may be lost or doubled; memory
must not grow. What happened is written to a file, with the seed that repeats the faults and what each caller does; how many
callers come follows from the capacity, which is measured first.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
from redis.exceptions import RedisError

from tests.faults.site import LEASE_SECONDS, TTL_SECONDS, Site, site
from tests.faults.traffic import (
    ENDED,
    SHARE_WITH_JOBS,
    Ledger,
    Visitor,
    learn,
    measure_capacity,
    wait_all_at_once,
)

_SHARE_OF_CAPACITY = 0.8
_CALM_SECONDS = 30
_SAMPLE_SECONDS = 5
# Rounding may let one graph in so many come out otherwise, on a processor without bfloat16.
_GRAPHS_PER_DIFFERENCE = 1_000
# Memory of the last quarter of the traffic beside that of the second.
_MOST_GROWTH = 1.1
_CROWD = 400
# What is never started anew in a run, so that its memory can be compared.
_LASTING = ("api", "worker-b")
# Of every job idempotency remembers a few hundred bytes for a day.
_BYTES_PER_JOB = 1_000


class Faults:
    """What befalls the service, one thing after another."""

    def __init__(self, place: Site, chance: random.Random, started: float) -> None:
        self.story: list[str] = []
        self._place, self._chance, self._started = place, chance, started

    async def befall(self, seconds: float) -> None:
        """Let something happen every 8 to 20 seconds; all is well again in the end."""
        kinds: list[Callable[[], Awaitable[str]]] = [
            self._kill_worker,
            self._stop_worker,
            self._drain_worker,
            self._kill_redis,
            self._cut_off,
        ]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await asyncio.sleep(self._chance.uniform(8, 20))
            at = time.monotonic() - self._started
            kind = self._chance.choice(kinds)
            self.story.append(f"{at:.0f} s: {await kind()}")

    async def _kill_worker(self) -> str:
        self._place.signal("worker-a", signal.SIGKILL)
        return await self._start_again("worker-a", "worker-a killed")

    async def _drain_worker(self) -> str:
        self._place.signal("worker-a", signal.SIGTERM)
        return await self._start_again("worker-a", "worker-a told to stop")

    async def _stop_worker(self) -> str:
        seconds = self._chance.uniform(1, 2.5 * LEASE_SECONDS)
        self._place.signal("worker-b", signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._place.signal("worker-b", signal.SIGCONT)
        return f"worker-b stopped for {seconds:.1f} s"

    async def _kill_redis(self) -> str:
        self._place.signal("redis", signal.SIGKILL)
        return await self._start_again("redis", "Redis killed")

    async def _cut_off(self) -> str:
        self._place.signal("proxy", signal.SIGKILL)
        return await self._start_again("proxy", "Redis cut off")

    async def _start_again(self, name: str, words: str) -> str:
        await self._place.wait_for_end(name)
        seconds = self._chance.uniform(0.5, 6)
        await asyncio.sleep(seconds)
        self._place.start(name)
        return f"{words}, started again {seconds:.1f} s after its end"


async def run(seed: int, minutes: float, logs: Path | None) -> dict[str, Any]:
    """The whole run; returns the report."""
    chance, ledger = random.Random(seed), Ledger()
    with site(logs, OMP_NUM_THREADS="1") as place:
        async with place.client() as client:
            known = await learn(client)
            capacity = await measure_capacity(client, known, random.Random(seed + 1), _CALM_SECONDS)
            # More callers than an outage brings together: the memory that they take is kept, and is no growth later.
            await wait_all_at_once(client, _CROWD)
            say(f"{capacity:.1f} jobs a second in calm; {_SHARE_OF_CAPACITY:.0%} of that for {minutes:g} minutes")
            started, before = time.monotonic(), place.data_bytes()
            faults = Faults(place, random.Random(seed + 2), started)
            memory: list[dict[str, float]] = []
            watching = asyncio.create_task(watch(place, memory, ledger, started))
            seen, calm = set[str](), set(await list_jobs(client))
            listing = asyncio.create_task(keep_listing(client, seen))
            befalling = asyncio.create_task(faults.befall(60 * minutes))
            visits: set[asyncio.Task[None]] = set()
            while time.monotonic() - started < 60 * minutes:
                await asyncio.sleep(chance.expovariate(capacity * _SHARE_OF_CAPACITY / SHARE_WITH_JOBS))
                visitor = Visitor(client, ledger, known, random.Random(chance.getrandbits(64)))
                visits.add(asyncio.create_task(visitor.visit()))
            await befalling
            in_traffic = len(memory)  # what comes later would hide growth
            await asyncio.gather(*visits)
            watching.cancel()
            listing.cancel()
            listed = await list_jobs(client)
            seen = (seen | listed.keys()) - calm
            ledger.demand(seen <= ledger.accepted, f"nobody was told of {sorted(seen - ledger.accepted)}")
            ledger.demand(set(listed.values()) <= ENDED, f"at the end, jobs are {sorted(set(listed.values()))}")
            await asyncio.sleep(TTL_SECONDS + 5)
            kept = place.data_bytes() - before
        growth = grown(memory[:in_traffic])
        ledger.demand(
            kept < _BYTES_PER_JOB * len(ledger.accepted), f"Redis keeps {kept} bytes of jobs that are forgotten"
        )
        ledger.demand(all(value < _MOST_GROWTH for value in growth.values()), f"memory has grown: {growth}")
        allowed = ledger.num_graphs // _GRAPHS_PER_DIFFERENCE
        ledger.demand(len(ledger.differing) <= allowed, f"{len(ledger.differing)} graphs differ from their seeds'")
        return {
            "seed": seed,
            "minutes": minutes,
            "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
            "capacity_jobs_per_second": round(capacity, 2),
            "accepted_jobs": len(ledger.accepted),
            "graphs": ledger.num_graphs,
            "graphs_unlike_their_seed": ledger.differing,
            "violations": ledger.violations,
            "counts": dict(ledger.counts.most_common()),
            "seconds_until_accepted": quantiles(ledger.submit_seconds),
            "seconds_until_ended": quantiles(ledger.job_seconds),
            "memory_growth": growth,
            "redis_bytes_kept": kept,
            "memory_megabytes": memory,
            "faults": faults.story,
        }


async def watch(place: Site, memory: list[dict[str, float]], ledger: Ledger, started: float) -> None:
    """Note the memory of the processes now and then, and say how it goes."""
    while True:
        await asyncio.sleep(_SAMPLE_SECONDS)
        sample = {name: round(place.memory_bytes(name) / 1e6, 1) for name in ("api", "worker-a", "worker-b")}
        with suppress(RedisError):
            sample["redis"] = round(place.data_bytes() / 1e6, 2)
        at = round(time.monotonic() - started)
        memory.append({"second": at, **sample})
        if at % 30 < _SAMPLE_SECONDS:
            say(f"{at} s: {len(ledger.accepted)} jobs, {len(ledger.violations)} violations, {sample}")


async def keep_listing(client: httpx2.AsyncClient, seen: set[str]) -> None:
    """Note which jobs there are, before the first of them are forgotten."""
    while True:
        await asyncio.sleep(TTL_SECONDS / 3)
        with suppress(httpx2.TransportError, KeyError):  # while Redis is away; most of them are there the next time
            seen |= (await list_jobs(client)).keys()


async def list_jobs(client: httpx2.AsyncClient) -> dict[str, str]:
    """Every job that is not forgotten, and its status."""
    found: dict[str, str] = {}
    path: str | None = "/jobs?limit=200"
    while path:
        page = (await client.get(path)).json()
        found |= {job["id"]: job["status"] for job in page["jobs"]}
        path = page["next"]
    return found


def grown(memory: list[dict[str, float]]) -> dict[str, float]:
    """How many times what it had in the second quarter each process has in the last."""
    found = {}
    for name in _LASTING:
        values = [sample[name] for sample in memory if name in sample]
        quarter = len(values) // 4
        early, late = (statistics.median(part) for part in (values[quarter : 2 * quarter], values[-quarter:]))
        found[name] = round(late / early, 3)
    return found


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum."""
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3), "max": round(max(values), 3)}


def say(words: str) -> None:
    sys.stderr.write(words + "\n")


def main() -> int:
    """Run, write the report; 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--logs", type=Path, help="a folder to keep the processes' logs in")
    parser.add_argument("--out", type=Path, default=Path("chaos.json"))
    options = parser.parse_args()
    report = asyncio.run(run(options.seed, options.minutes, options.logs))
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    shown = {name: value for name, value in report.items() if name not in {"memory_megabytes", "faults"}}
    say(json.dumps(shown, indent=1, ensure_ascii=False))
    say(f"{len(report['violations'])} violations; the whole report is in {options.out}")
    return 1 if report["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
