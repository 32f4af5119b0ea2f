"""The RQ worker: takes jobs from Redis, one at a time, and runs the one function it knows.

What differs from RQ's SimpleWorker, and why:

- Messages are JSON, and a job's function is looked up in a table of one: a dotted name in Redis imports nothing.
- A lease is short and renewed by a thread, so a job of a worker that died is taken over soon,
  not after the job's whole time limit.
- The same thread says that the worker lives, for `GET /health/ready`.
"""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from app.schemas import JOB_FUNCTION, QUEUE, WORKER_SILENCE_SECONDS, WORKERS_KEY
from worker.jobs import GenerationJob

_log = structlog.get_logger(__name__)


class ForbiddenFunction(PermissionError):
    """A message that asks for another function than the one this worker runs."""


def allow_only(function: Callable[..., Any]) -> type[Job]:
    """A job class whose every instance calls `function`, under the one name it has, and calls nothing else.

    Both the worker and its queues need it: a queue's registries read the jobs of dead workers by a class of their own.
    """

    class AllowedJob(Job):
        @property
        def func(self) -> Callable[..., Any]:
            if self.func_name != JOB_FUNCTION or self.instance is not None:
                raise ForbiddenFunction(f"job {self.id} asks for {self.func_name!r}, but only {JOB_FUNCTION!r} is run")
            return function

        success_callback = failure_callback = stopped_callback = property(lambda self: None)

        def send_webhooks(self, status: str, *, exc_string: str | None = None) -> None:
            """No address that a message names is called."""

    return AllowedJob


class GenerationWorker(SimpleWorker):
    """One job at a time on one engine."""

    def __init__(self, function: GenerationJob, redis: Redis, *, lease_seconds: int) -> None:
        self._function = function
        self._lease_seconds = lease_seconds
        self._heartbeat_seconds = min(lease_seconds / 3, WORKER_SILENCE_SECONDS / 3)
        self._running: tuple[Job, Execution] | None = None
        self._ended = threading.Event()
        job_class = allow_only(function)
        super().__init__(
            [Queue(QUEUE, connection=redis, job_class=job_class, serializer=JSONSerializer)],
            connection=redis,
            job_class=job_class,
            serializer=JSONSerializer,
            worker_ttl=2 * lease_seconds,
            maintenance_interval=self.dequeue_timeout,
            exception_handlers=[self._give_up],
            log_job_description=False,
        )

    def run(self) -> bool:
        """Take jobs until asked to stop by SIGINT or SIGTERM; a job under way is finished first.

        Returns whether it was asked to stop: RQ also stops, with a word in the log, when it cannot go on.
        """
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        heart.start()
        try:
            self.work(logging_level="WARNING")
        except StopRequested:
            _log.info("stopped before the first job")
        finally:
            self._ended.set()
            heart.join(timeout=self._heartbeat_seconds)
        self.connection.zrem(WORKERS_KEY, self.name)
        return self._shutdown_requested_date is not None

    def execute_job(self, job: Job, queue: Queue) -> None:
        execution = self.prepare_execution(job)
        self._running = (job, execution)
        try:
            self.perform_job(job, queue, execution)
        finally:
            self._running = None
        self.set_state("idle")

    @property
    def dequeue_timeout(self) -> int:
        # Maintenance, which finds the jobs of dead workers, runs between two waits for a job.
        return max(self._lease_seconds // 3, 1)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return self._lease_seconds

    def _beat(self) -> None:
        while not self._ended.is_set():
            try:
                seconds, _ = self.connection.time()
                self.connection.zadd(WORKERS_KEY, {self.name: seconds})
                self.connection.zremrangebyscore(WORKERS_KEY, "-inf", seconds - 10 * WORKER_SILENCE_SECONDS)
                if running := self._running:
                    self.maintain_heartbeats(*running)
            except RedisError as error:
                _log.warning("heartbeat failed", error=str(error))
            self._ended.wait(self._heartbeat_seconds)

    def _give_up(self, job: Job, *exception: Any) -> bool:
        if not job.should_retry:
            self._function.give_up(job.id)
        return True
