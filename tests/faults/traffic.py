"""Callers of every kind, and what each of them must find.

All graphs that are asked for are known beforehand: requests come from a few `Wish`es, whose graphs were drawn once in calm.
A job is followed to its end and read again later; whatever is not as it must be is a `Violation`.
"""

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

ENDED = {"succeeded", "failed", "canceled"}
# A caller comes again so long after an answer that was none.
_IDEMPOTENCY_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# A job that has not ended by then is lost. Ten minutes of faults leave a queue that takes minutes to work off; what ends late
# in it is counted, and told with the longest time that a job took.
_PATIENCE_SECONDS = 1_800
_LATE_SECONDS = 900
_READ_AGAIN_SECONDS = 30

WISHES: list[dict[str, Any]] = [
    *({"model": "qm9", "num_graphs": number, "seed": number, "num_steps": 20} for number in (1, 2, 8, 40)),
    {"model": "qm9", "num_graphs": 2, "seed": 3, "num_steps": 100},
    {"model": "qm9", "num_graphs": 8, "seed": 4, "num_steps": 20, "filter": {"valid": True, "unique": True}},
    {"model": "qm9", "num_graphs": 2, "seed": 5, "num_steps": 20, "keep_frames": 3},
    {"model": "qm9", "num_graphs": 1, "seed": 6, "num_steps": 10, "targets": {"mu": 2.5}},
    {"model": "comm20", "num_graphs": 1, "seed": 7, "num_steps": 20},
]
# How often callers do what.
_KINDS = {"ask": 50, "watch": 15, "hang_up": 10, "cancel": 15, "ask_nonsense": 10}
SHARE_WITH_JOBS = 1 - _KINDS["ask_nonsense"] / sum(_KINDS.values())
BAD_BODIES: list[tuple[bytes, int]] = [
    (b"", 422),
    (b"{", 400),
    (b"[]", 422),
    (b'{"model": "none"}', 422),
    (b'{"model": "qm9", "num_graphs": 0}', 422),
    (b'{"model": "qm9", "num_graphs": 1e99}', 422),
    (b'{"model": "qm9", "colour": "red"}', 422),
    (b'{"model": "qm9", "num_nodes": 99}', 422),
    (b"\xff\xfe", 400),
    (b'{"model": "' + b"x" * 100_000 + b'"}', 413),
]


@dataclass
class Known:
    """A request, and the graphs that it must give."""

    body: dict[str, Any]
    graphs: list[dict[str, Any]]

    @property
    def path(self) -> str:
        """Where it is posted."""
        return "/generate/conditional" if "targets" in self.body else "/generate"


@dataclass
class Ledger:
    """What has happened."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    submit_seconds: list[float] = field(default_factory=list)
    job_seconds: list[float] = field(default_factory=list)
    num_graphs: int = 0
    differing: list[str] = field(default_factory=list)
    """Graphs that are not those of their seed, to the last digit."""

    def demand(self, fact: bool, words: str) -> None:
        """Note a violation if something is not so."""
        if not fact:
            self.violations.append(words)


async def learn(client: httpx2.AsyncClient) -> list[Known]:
    """What every wish gives, drawn one at a time."""
    known = []
    for body in WISHES:
        wish = Known(body, [])
        answer = await client.post(wish.path, json=body, headers={"Prefer": "wait=60"}, timeout=90)
        job = answer.json()
        assert job["status"] == "succeeded", job
        known.append(Known(body, job["graphs"]))
    return known


async def measure_capacity(
    client: httpx2.AsyncClient, known: list[Known], chance: random.Random, seconds: float
) -> float:
    """Jobs a second, when there is always one more to do, and callers look at what they get as they will later."""
    ended, deadline = 0, time.monotonic() + seconds

    async def ask_again_and_again() -> None:
        nonlocal ended
        while time.monotonic() < deadline:
            await Visitor(client, Ledger(), known, chance).ask_and_judge()
            ended += time.monotonic() < deadline

    await asyncio.gather(*(ask_again_and_again() for _ in range(48)))
    return ended / seconds


async def wait_all_at_once(client: httpx2.AsyncClient, callers: int, seconds: float = 5.0) -> None:
    """So many callers watch one job for a while."""
    job = (await client.post("/generate", json={"model": "qm9", "num_graphs": 10_000})).json()

    async def watch() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), client.stream("GET", f"/jobs/{job['id']}/events") as answer:
                await answer.aread()

    await asyncio.gather(*(watch() for _ in range(callers)))
    await client.delete(f"/jobs/{job['id']}")


class Visitor:
    """One caller."""

    def __init__(self, client: httpx2.AsyncClient, ledger: Ledger, known: list[Known], chance: random.Random) -> None:
        self._client, self._ledger, self._chance = client, ledger, chance
        self._wish = chance.choice(known)
        self._body = self._wish.body | {"priority": chance.choice(["high", "normal", "low"])}
        self._key = uuid.UUID(int=chance.getrandbits(128)).hex
        self._wants_to_cancel = False

        (self._kind,) = self._chance.choices(list(_KINDS), list(_KINDS.values()))

    async def visit(self) -> None:
        """Ask for something, in one of the ways that people do."""
        kind = getattr(self, f"_{self._kind}")
        self._ledger.counts[self._kind] += 1
        try:
            await kind()
        except Exception as error:  # of the run, not of the service: it is told at the end
            self._ledger.violations.append(f"{self._kind}: {error!r}")

    async def ask_and_judge(self) -> None:
        """Ask for something, and look at what comes of it once."""
        await self._follow_to_end(await self._submit())

    async def _ask(self) -> None:
        await self._follow(await self._submit())

    async def _watch(self) -> None:
        job_id = await self._submit()
        seen = "0"
        for _ in range(self._chance.randrange(1, 4)):  # and every time the connection is lost
            seen = await self._listen(job_id, seen, self._chance.uniform(0.2, 3.0))
        await self._follow(job_id)

    async def _hang_up(self) -> None:
        patience = self._chance.uniform(0.01, 2.0)
        try:
            async with asyncio.timeout(patience):
                await self._post(Prefer="wait=30")
        except (TimeoutError, httpx2.TransportError):
            self._ledger.counts["connections dropped by the caller"] += 1
        await self._follow(await self._submit())

    async def _cancel(self) -> None:
        job_id = await self._submit()
        await asyncio.sleep(self._chance.expovariate(1.0))
        self._wants_to_cancel = True
        await self._until_answered(lambda: self._client.delete(f"/jobs/{job_id}"), {200, 202})
        await self._follow(job_id)

    async def _ask_nonsense(self) -> None:
        body, status = self._chance.choice(BAD_BODIES)
        headers = {"Content-Type": "application/json"}
        answer = await self._until_answered(
            lambda: self._client.post("/generate", content=body, headers=headers), {status}
        )
        problem = answer.headers["content-type"] == "application/problem+json" and "detail" in answer.json()
        self._ledger.demand(problem, f"{status} to {body[:40]!r} is no problem document")

    async def _post(self, **headers: str) -> httpx2.Response:
        """The same body and key every time, which make it one job however often it is sent."""
        headers = {"Idempotency-Key": self._key, **headers}
        return await self._client.post(self._wish.path, json=self._body, headers=headers)

    async def _submit(self) -> str:
        """Post until it is accepted; the same key makes sure that it is one job."""
        started = time.monotonic()
        first = await self._until_answered(self._post, {200, 202})
        self._ledger.submit_seconds.append(time.monotonic() - started)
        job_id: str = first.json()["id"]
        self._ledger.accepted.add(job_id)
        return job_id

    async def _until_answered(self, ask: Any, statuses: set[int]) -> httpx2.Response:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                answer: httpx2.Response = await ask()
                if answer.status_code < 500 and answer.status_code != 429:
                    self._ledger.demand(
                        answer.status_code in statuses,
                        f"{answer.status_code} where {statuses} was due: {answer.text[:200]}",
                    )
                    return answer
                self._ledger.counts[f"answers {answer.status_code}"] += 1
                # While Redis is away 503 is the right answer; no other error of the server ever is.
                self._ledger.demand(answer.status_code in {429, 503}, f"{answer.status_code}: {answer.text[:200]}")
            except httpx2.TransportError as error:
                self._ledger.counts[f"no answer ({type(error).__name__})"] += 1
            if time.monotonic() > deadline:
                raise TimeoutError("the service does not answer")
            await asyncio.sleep(_IDEMPOTENCY_SECONDS)

    async def _listen(self, job_id: str, seen: str, seconds: float) -> str:
        """Read events for a while; returns the id of the last one."""
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream("GET", f"/jobs/{job_id}/events", headers={"Last-Event-ID": seen}) as answer,
            ):
                async for line in answer.aiter_lines():
                    if line.startswith("id: "):
                        new = line.removeprefix("id: ")
                        self._ledger.demand(_place(new) > _place(seen), f"{job_id}: event {new} after {seen}")
                        seen = new
        except (TimeoutError, httpx2.TransportError):
            self._ledger.counts["event streams cut"] += 1
        return seen

    async def _follow(self, job_id: str) -> None:
        """Wait for the job's end, and hold it against what it must be; then once more, later."""
        if job := await self._follow_to_end(job_id):
            await asyncio.sleep(_READ_AGAIN_SECONDS)
            again = await self._read(job_id, graphs=True)
            self._ledger.demand(again == job, f"{job_id}: has changed after its end")

    async def _follow_to_end(self, job_id: str) -> dict[str, Any] | None:
        started, job = time.monotonic(), await self._read(job_id, graphs=False)
        while job["status"] not in ENDED:
            if time.monotonic() - started > _PATIENCE_SECONDS:
                self._ledger.violations.append(f"{job_id}: lost, {job['status']} after {_PATIENCE_SECONDS} s")
                return None
            # A thousand callers who all look every few seconds would take the machine from those who compute for them.
            soon, left = 0.3 + (time.monotonic() - started) / 10, job["progress"]["eta_seconds"] or 0
            await asyncio.sleep(min(max(soon, left / 2), _LONGEST_PAUSE_SECONDS))
            job = await self._read(job_id, graphs=False)
        self._ledger.job_seconds.append(time.monotonic() - started)
        self._ledger.counts[f"jobs that took over {_LATE_SECONDS} s"] += time.monotonic() - started > _LATE_SECONDS
        job = await self._read(job_id, graphs=True)
        self._judge(job)
        await self._judge_story(job)
        return job

    async def _read(self, job_id: str, *, graphs: bool) -> dict[str, Any]:
        path = f"/jobs/{job_id}?graphs={str(graphs).lower()}"
        answer = await self._until_answered(lambda: self._client.get(path), {200})
        found: dict[str, Any] = answer.json()
        return found

    def _judge(self, job: dict[str, Any]) -> None:
        ledger, name, graphs = self._ledger, job["id"], job["graphs"] or []
        ledger.counts[f"jobs {job['status']}"] += 1
        right = {"succeeded", "canceled"} if self._wants_to_cancel else {"succeeded"}
        ledger.demand(job["status"] in right, f"{name}: {job['status']}, {job['error']}")
        expected = {graph["graph"]["seed"]: graph for graph in self._wish.graphs}
        seeds = [graph["graph"]["seed"] for graph in graphs]
        ledger.demand(len(set(seeds)) == len(seeds), f"{name}: a graph is there twice")
        if job["status"] == "succeeded":
            ledger.demand(seeds == list(expected), f"{name}: {len(seeds)} graphs of {len(expected)}, or others")
        else:
            ledger.demand(set(seeds) <= set(expected) or "filter" in self._wish.body, f"{name}: graphs of other seeds")
        ledger.num_graphs += len(graphs)
        ledger.differing += [
            f"{name}: seed {seed}"
            for seed, graph in zip(seeds, graphs, strict=True)
            if seed in expected and _drawing(graph) != _drawing(expected[seed])
        ]

    async def _judge_story(self, job: dict[str, Any]) -> None:
        names: list[str] = []
        for _ in range(20):  # a stream that is cut off has no end
            answer = await self._until_answered(lambda: self._client.get(f"/jobs/{job['id']}/events"), {200})
            names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
            if names and names[-1] in ENDED:
                break
            await asyncio.sleep(_IDEMPOTENCY_SECONDS)
        ends = [name for name in names if name in ENDED]
        is_right = ends == [job["status"]] and names[-1] in ENDED
        self._ledger.demand(is_right, f"{job['id']}: {job['status']}, and its story is {names}")


def _drawing(graph: dict[str, Any]) -> str:
    """What was drawn: nodes and edges. Predicted properties may be rounded otherwise in other company."""
    return json.dumps([graph["nodes"], graph["edges"]])


def _place(event_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in event_id.split("-"))
