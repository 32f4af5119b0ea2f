"""Workers over a Valkey of their own, and what a job must give, drawn without any queue."""

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.jobs.keys import events_key, graphs_key, record_key
from app.jobs.queue import JobQueue
from app.schemas import CompletedRequest, JobStatus
from models.checkpoint import LoadedModel, save_checkpoint
from models.generation import generate
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, Forked, forked
from tests.servers import valkey, wait_until
from worker.encoding import encode
from worker.plans import plan

LEASE_SECONDS = 3

SOON = 1  # seconds: time to look for lost jobs, which a worker does every second, and less than a lease

PERSISTENT = ["--appendonly", "yes", "--appendfsync", "always"]

SHORT, LONG, ENDLESS = 5, 250, 10_000  # graphs

STEPS, FEW_STEPS = 50, 10


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "checkpoints" / "tiny")
    return tmp_path / "checkpoints"


def request(num_graphs: int, num_steps: int) -> CompletedRequest:
    return CompletedRequest(model="tiny", num_graphs=num_graphs, seed=7, sampler="ancestral", num_steps=num_steps)


@cache
def drawn_alone(num_steps: int) -> list[Any]:
    """What a job of `LONG` graphs must give; a shorter one gives the first of them."""
    model = LoadedModel(make_card(), make_denoiser(make_card()), [])
    batches = generate(model, plan(request(LONG, num_steps), model.card))
    drawn = dict(pair for batch in batches for pair in encode(batch, model.card))
    return [drawn[index].model_dump(mode="json") for index in range(LONG)]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with valkey(tmp_path) as url:
        yield url


class Service:
    """The queue as the API has it, and workers."""

    def __init__(self, url: str, checkpoints: Path) -> None:
        self.url, self._checkpoints = url, checkpoints
        self.redis = Redis.from_url(url)
        self._num_workers = 0

    def queue(self, timeout_seconds: int = 300) -> JobQueue:
        redis = AsyncRedis.from_url(self.url)
        return JobQueue(self.redis, redis, job_timeout_seconds=timeout_seconds, job_ttl_seconds=600)

    def submit(self, num_graphs: int, *, num_steps: int = STEPS, timeout_seconds: int = 300) -> str:
        return self.queue(timeout_seconds).submit(request(num_graphs, num_steps)).job_id

    def worker(self, **settings: str) -> AbstractContextManager[Forked]:
        self._num_workers += 1
        environment = {
            "DIGRESS_REDIS_URL": self.url,
            "DIGRESS_CHECKPOINTS": str(self._checkpoints),
            "DIGRESS_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        log = self._checkpoints.parent / f"worker-{self._num_workers}.log"
        return forked(WORKER, environment | settings, log)

    def status(self, job_id: str) -> JobStatus:
        return JobStatus(str(self.redis.hget(record_key(job_id), "status"), "ascii"))  # type: ignore[arg-type]

    def fraction(self, job_id: str) -> float:
        return float(self.redis.hget(record_key(job_id), "fraction") or 0)

    def graphs(self, job_id: str) -> Any:
        return [json.loads(graph) for graph in self.redis.lrange(graphs_key(job_id), 0, -1)]

    def events(self, job_id: str) -> list[str]:
        entries: Any = self.redis.xrange(events_key(job_id))
        return [fields[b"event"].decode() for _, fields in entries]

    def log(self, worker: int) -> str:
        return (self._checkpoints.parent / f"worker-{worker}.log").read_text()

    def wait_for_start(self, job_id: str) -> None:
        wait_until(lambda: self.fraction(job_id) > 0, seconds=60)

    def wait_for_end(self, *job_ids: str, seconds: float = 90) -> None:
        wait_until(lambda: all(self.status(job_id).is_final for job_id in job_ids), seconds=seconds)

    def assert_drawn_once(self, job_id: str, num_graphs: int, *, num_steps: int = STEPS) -> None:
        assert self.status(job_id) == JobStatus.SUCCEEDED
        assert self.events(job_id).count("succeeded") == 1
        assert self.graphs(job_id) == drawn_alone(num_steps)[:num_graphs]

    def wait_until_leases_run_out(self) -> None:
        """For who is stopped and renews none."""
        leases: Any = self.redis.zrange("rq:wip:digress", 0, -1, withscores=True)
        assert leases
        wait_until(lambda: time.time() > max(until for _, until in leases) + 0.5, seconds=2 * LEASE_SECONDS)

    def wait_until_idle(self) -> None:
        """RQ's books are closed soon after the record."""
        keys = ("rq:queue:digress", "rq:queue:digress:intermediate")
        wait_until(lambda: self.redis.zcard("rq:wip:digress") == 0, seconds=10)
        assert [self.redis.llen(key) for key in keys] == [0, 0]


@pytest.fixture
def service(url: str, checkpoints: Path) -> Service:
    return Service(url, checkpoints)
