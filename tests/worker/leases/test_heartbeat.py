import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from redis import Redis

from app.jobs.keys import MODEL_CHANGES_KEY, UNLOADED_KEY, WORKERS_KEY, worker_key
from app.jobs.leases import WORKER_FORGOTTEN_SECONDS
from app.jobs.reports import WorkerReport
from tests.servers import wait_until
from tests.worker.engine.conftest import SMALL
from worker.engine.engine import Engine
from worker.leases.heartbeat import Heartbeat
from worker.store import ModelStore, UnknownModel


@pytest.fixture
def engine(checkpoints: Path) -> Iterator[Engine]:
    with Engine(ModelStore(checkpoints, torch.device("cpu")), SMALL) as engine:
        yield engine


def test_a_worker_that_beats_is_known_and_its_leases_are_renewed(redis: Redis, engine: Engine) -> None:
    renewed: list[float] = []
    redis.zadd(WORKERS_KEY, {"dead": time.time() - WORKER_FORGOTTEN_SECONDS - 1})
    engine.prepare("tiny")
    heartbeat = Heartbeat(redis, "me", engine, lease_seconds=0.3, renew_leases=lambda: renewed.append(1))

    heartbeat.start()
    wait_until(lambda: len(renewed) >= 2, seconds=10)
    heartbeat.stop()

    assert redis.zrange(WORKERS_KEY, 0, -1) == [b"me"]
    report = WorkerReport.model_validate_json(str(redis.get(worker_key("me")), "ascii"))  # type: ignore[arg-type]
    assert report.capacity == {"tiny": SMALL.fits}
    heartbeat.sign_off()
    assert not redis.exists(WORKERS_KEY, worker_key("me"))


def test_a_beat_that_fails_is_not_the_last(redis: Redis, engine: Engine) -> None:
    beats: list[float] = []

    def renew() -> None:
        beats.append(1)
        raise RuntimeError("a fault")

    heartbeat = Heartbeat(redis, "me", engine, lease_seconds=0.3, renew_leases=renew)

    heartbeat.start()
    wait_until(lambda: len(beats) >= 2, seconds=10)
    heartbeat.stop()


def test_a_model_that_was_unloaded_is_dropped_once_it_is_told(redis: Redis, engine: Engine) -> None:
    heartbeat = Heartbeat(redis, "me", engine, lease_seconds=3, renew_leases=lambda: None)
    redis.sadd(UNLOADED_KEY, "tiny")

    heartbeat.follow_models()
    before = engine.store.model("tiny")
    redis.incr(MODEL_CHANGES_KEY)
    heartbeat.follow_models()

    assert before.card.name == "tiny"
    with pytest.raises(UnknownModel):
        engine.store.model("tiny")
