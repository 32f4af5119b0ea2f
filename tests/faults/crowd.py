"""A crowd of callers who wait: idle event streams and `Prefer: wait`, while others submit.

No worker runs, so nothing happens to the jobs until they are canceled: then every stream must have told so, once.
"""

import asyncio
import itertools
import json
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from app.http.sharing.connections import raise_file_limit
from tests.faults.chaos import quantiles, say
from tests.faults.site import Site

_BODY = {"model": "qm9", "num_graphs": 1, "num_steps": 5}
_MOST_SUBMIT_SECONDS = 0.1
_SETTLE_SECONDS = 5.0
_OPENING_AT_ONCE = 50


class Stream:
    """One event stream, read by hand: a client library costs more than the server has for all of them."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.is_open = self.is_over = False
        self._rest = b""

    async def run(self, port: int, path: str, key: str, limit: asyncio.Semaphore) -> None:
        """Read until the server ends it."""
        async with limit:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            request = (
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
            )
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            self.is_open = head.startswith(b"HTTP/1.1 200")
        with suppress(ConnectionError):
            while part := await reader.read(65_536):
                self._count(part)
        self.is_over = True
        writer.close()

    def _count(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        self.names.update(line.split(b": ")[1].strip().decode() for line in lines if line.startswith(b"event: "))


async def crowd(place: Site, keys: list[str], num_streams: int, num_waiting: int, num_submits: int) -> dict[str, Any]:
    """Let them wait, submit meanwhile, then cancel all jobs; returns what happened."""
    raise_file_limit()
    jobs = await _jobs(place, keys, num_streams)
    say(f"{len(jobs)} jobs are queued; opening as many streams")
    limit, streams = asyncio.Semaphore(_OPENING_AT_ONCE), [Stream() for _ in jobs]
    began = time.monotonic()
    reading = [
        asyncio.create_task(stream.run(place.port, f"/jobs/{job_id}/events", key, limit))
        for stream, (job_id, key) in zip(streams, jobs, strict=True)
    ]
    while not all(stream.is_open or stream.is_over for stream in streams):
        await asyncio.sleep(0.1)
    opened = time.monotonic() - began
    waiting = [asyncio.create_task(_wait(place, key)) for key in itertools.islice(itertools.cycle(keys), num_waiting)]
    await asyncio.sleep(_SETTLE_SECONDS)
    seconds = await _submits(place, keys[0], num_submits)
    dropped = sum(stream.is_over or not stream.is_open for stream in streams)
    memory = place.memory_bytes("api")
    say("canceling all jobs")
    await _cancel_all(place, jobs)
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            await asyncio.gather(*reading)
    outcomes = Counter(await asyncio.gather(*waiting))
    wrong = sum(stream.names["canceled"] != 1 or stream.names["status"] != 1 for stream in streams)
    submit = quantiles(seconds)
    return {
        "streams": num_streams,
        "waiting": num_waiting,
        "open_seconds": round(opened, 1),
        "submit_seconds": submit,
        "estimates": sum(stream.names["progress"] for stream in streams),
        "waiting_answers": dict(outcomes),
        "api_bytes": memory,
        "dropped": dropped,
        "told_wrong": wrong,
        "violations": [
            *([f"{dropped} idle streams were dropped"] if dropped else []),
            *([f"{wrong} streams did not tell their job's story once"] if wrong else []),
            *([f"99 of 100 submits took up to {submit['p99']} s"] if submit["p99"] >= _MOST_SUBMIT_SECONDS else []),
            *([] if set(outcomes) == {202} else [f"waiting callers were answered {dict(outcomes)}"]),
        ],
    }


async def _jobs(place: Site, keys: list[str], number: int) -> list[tuple[str, str]]:
    """Queue so many jobs; returns the id and the key of each."""
    jobs = []
    for key in keys:
        async with place.client(key) as client:
            for _ in range(number // len(keys)):
                answer = await client.post("/generate", json=_BODY)
                assert answer.status_code == 202, answer.text
                jobs.append((answer.json()["id"], key))
    return jobs


async def _wait(place: Site, key: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    body = json.dumps(_BODY)
    writer.write(
        f"POST /generate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nPrefer: wait=60\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ")[1])


async def _submits(place: Site, key: str, number: int) -> list[float]:
    seconds = []
    async with place.client(key) as client:
        for _ in range(number):
            begun = time.perf_counter()
            answer = await client.post("/generate", json=_BODY)
            seconds.append(time.perf_counter() - begun)
            assert answer.status_code == 202, answer.text
            await asyncio.sleep(0.05)
    return seconds


async def _cancel_all(place: Site, jobs: list[tuple[str, str]]) -> None:
    async with place.client() as client:
        for job_id, _ in jobs:
            (await client.delete(f"/jobs/{job_id}")).raise_for_status()
