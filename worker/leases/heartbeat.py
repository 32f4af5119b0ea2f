"""The heartbeat: a thread that tells Redis that the worker lives, and renews the leases of its jobs.

It also reads which models are served, since it asks Redis often enough.
"""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.jobs.keys import MODEL_CHANGES_KEY, UNLOADED_KEY, WORKERS_KEY, worker_key
from app.jobs.leases import WORKER_FORGOTTEN_SECONDS, WORKER_SILENCE_SECONDS, heartbeat_seconds
from worker.engine.engine import Engine
from worker.leases.expired import RedisContact

_log = structlog.get_logger(__name__)


class Heartbeat:
    """Beats from `start` to `stop`."""

    def __init__(
        self, redis: Redis, name: str, engine: Engine, *, lease_seconds: float, renew_leases: Callable[[], None]
    ) -> None:
        """`name` is the worker's; `renew_leases` is called at every beat."""
        self.contact = RedisContact(lease_seconds)
        self._redis, self._name, self._engine = redis, name, engine
        self._period, self._renew_leases = heartbeat_seconds(lease_seconds), renew_leases
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._stopped = threading.Event()
        self._model_changes = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a beat that Redis holds up is not waited for longer than a period."""
        self._stopped.set()
        self._thread.join(timeout=self._period)

    def sign_off(self) -> None:
        """Tell Redis that the worker is gone."""
        self._redis.zrem(WORKERS_KEY, self._name)
        self._redis.delete(worker_key(self._name))

    def follow_models(self) -> None:
        """Have the engine drop models that have been unloaded, or loaded anew, since the last time."""
        changes = int(self._redis.get(MODEL_CHANGES_KEY) or 0)
        if changes != self._model_changes:
            names: Any = self._redis.smembers(UNLOADED_KEY)
            self._engine.refresh_models(frozenset(name.decode() for name in names))
            self._model_changes = changes

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._beat()
            except RedisError as error:
                _log.warning("heartbeat failed", error=str(error))
            except Exception:  # whatever it is, the leases of all jobs depend on this thread
                _log.exception("heartbeat failed")
            self._stopped.wait(self._period)

    def _beat(self) -> None:
        seconds, _ = self._redis.time()
        self._redis.zadd(WORKERS_KEY, {self._name: seconds})
        report = self._engine.report().model_dump_json()
        self._redis.set(worker_key(self._name), report, ex=WORKER_SILENCE_SECONDS)
        self.contact.record_answer()
        self._redis.zremrangebyscore(WORKERS_KEY, "-inf", seconds - WORKER_FORGOTTEN_SECONDS)
        self.follow_models()
        self._renew_leases()
