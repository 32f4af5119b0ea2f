"""The RQ worker: takes jobs from Redis, many at a time, and runs the one function it knows in a thread for each.

What differs from RQ's SimpleWorker, and why:

- Messages are JSON, and a job's function is looked up in a table of one: a dotted name in Redis imports nothing.
- The jobs of one process share one engine, so there are up to `max_jobs` executions at once, as long as the engine
  has room. How long a job may take is the engine's business; RQ's own limit is a signal, and reaches the main thread only.
- A lease is short and renewed by a thread, so a job of a worker that died is taken over soon,
  not after the job's whole time limit. A worker that has lost a lease, because it was stopped or cut off for longer,
  lets go of the job: it keeps no books about it that are another one's now. Whose jobs are lost, `worker.leases` says.
- The same thread says that the worker lives, for `GET /health/ready`.
- Told to stop, the worker takes no more jobs, gives those under way some time to end, and hands the others back to
  the front of the queue. No try is lost by that. Told a second time, it ends at once, and its leases run out.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.command import parse_payload
from rq.exceptions import DequeueTimeout, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.job import JobStatus as RqJobStatus
from rq.queue import Queue
from rq.registry import StartedJobRegistry, clean_registries
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty
from rq.utils import now
from rq.worker_registration import clean_worker_registry

from app.jobs.keys import (
    BACKLOG_KEY,
    CLOCK_KEY,
    JOB_FUNCTION,
    MAX_RETRIES,
    MODEL_CHANGES_KEY,
    PENDING_KEY,
    QUEUE,
    UNLOADED_KEY,
    WORKER_SILENCE_SECONDS,
    WORKERS_KEY,
    worker_key,
)
from worker.jobs import GenerationJob, JobReleased
from worker.leases import Contact, TakenJobs
from worker.records import Canceled

_log = structlog.get_logger(__name__)
# RQ counts in whole seconds.
_LONGEST_WAIT_SECONDS = 1
_WAIT_FOR_ROOM_SECONDS = 0.05


# Puts the job whose turn it is into RQ's list, if that is empty (`app.jobs.scripts`).
# Keys: RQ's list, pending, clock, backlog.
_RELEASE = """
if redis.call('LLEN', KEYS[1]) > 0 then return end
local found = redis.call('ZPOPMIN', KEYS[2])
if not found[1] then return end
redis.call('SET', KEYS[3], found[2])
local cost = redis.call('HGET', 'digress:job:' .. found[1], 'cost')
if redis.call('ZCARD', KEYS[2]) == 0 then redis.call('DEL', KEYS[4])
elseif cost then redis.call('INCRBYFLOAT', KEYS[4], '-' .. cost) end
redis.call('RPUSH', KEYS[1], found[1])
"""


class ForbiddenFunction(PermissionError):
    """A message that asks for another function than the one this worker runs."""


class TriedJob(Job):
    """A job that knows which of its executions it is."""

    run = ""


def allow_only(function: Callable[..., Any]) -> type[Job]:
    """A job class whose every instance calls `function`, under the one name it has, and calls nothing else.

    Both the worker and its queues need it: a queue's registries read the jobs of dead workers by a class of their own.
    """

    class AllowedJob(TriedJob):
        @property
        def func(self) -> Callable[..., Any]:
            if self.func_name != JOB_FUNCTION or self.instance is not None:
                raise ForbiddenFunction(f"job {self.id} asks for {self.func_name!r}, but only {JOB_FUNCTION!r} is run")
            return partial(
                function,
                run=self.run,
                tries_lost=0 if self.retries_left is None else MAX_RETRIES - self.retries_left,
                limit_seconds=self.timeout,
                metadata=_metadata(self),
            )

        success_callback = failure_callback = stopped_callback = property(lambda self: None)

        def send_webhooks(self, status: str, *, exc_string: str | None = None) -> None:
            """No address that a message names is called."""

    return AllowedJob


class LeaseLost(JobReleased):
    """The job is another worker's now."""


class HandedBack(JobReleased):
    """The job goes back to the queue."""


class _NoDeathPenalty(BaseDeathPenalty):
    """The engine watches the deadlines."""

    def setup_death_penalty(self) -> None:
        """Do nothing."""

    def cancel_death_penalty(self) -> None:
        """Do nothing."""


class GenerationWorker(SimpleWorker):
    """Many jobs at a time on one engine."""

    death_penalty_class = _NoDeathPenalty

    def __init__(
        self,
        function: GenerationJob,
        redis: Redis,
        *,
        lease_seconds: int,
        max_jobs: int = 128,
        drain_seconds: float = 8,
    ) -> None:
        self._function = function
        self._lease_seconds = lease_seconds
        self._contact = Contact(lease_seconds)
        self._heartbeat_seconds = min(lease_seconds / 3, WORKER_SILENCE_SECONDS / 3)
        self._drain_seconds = drain_seconds
        # By execution: should a lease run out unnoticed, the same job may be here twice for a while.
        self._running: dict[str, tuple[Job, Execution]] = {}
        self._room = threading.Semaphore(max_jobs)
        self._threads = ThreadPoolExecutor(max_jobs, thread_name_prefix="job")
        self._ended = threading.Event()
        self._model_changes = 0
        release = redis.register_script(_RELEASE)
        self._release = partial(
            release, [self.queue_class.redis_queue_namespace_prefix + QUEUE, PENDING_KEY, CLOCK_KEY, BACKLOG_KEY]
        )
        job_class = allow_only(function)
        super().__init__(
            [Queue(QUEUE, connection=redis, job_class=job_class, serializer=JSONSerializer)],
            connection=redis,
            job_class=job_class,
            serializer=JSONSerializer,
            worker_ttl=2 * lease_seconds,
            maintenance_interval=max(lease_seconds // 3, 1),
            exception_handlers=[self._give_up],
            log_job_description=False,
        )

    def run(self) -> bool:
        """Take jobs until asked to stop by SIGINT or SIGTERM.

        Returns whether it was asked to stop: RQ also stops, with a word in the log, when it cannot go on.
        """
        # RQ installs them too, but only after it has said that the worker is there.
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        heart.start()
        try:
            self.work(logging_level="WARNING")
        finally:
            self._ended.set()
            heart.join(timeout=self._heartbeat_seconds)
        self.connection.zrem(WORKERS_KEY, self.name)
        self.connection.delete(worker_key(self.name))
        return self._stop_requested

    # What RQ's work loop calls, in the main thread.

    def request_stop(self, signum: int, frame: object) -> None:
        # Only a note: raised here, an exception might fall between taking a job and knowing of it.
        if self._stop_requested:
            _log.warning("told to stop a second time; ending at once")
            os._exit(1)
        self._stop_requested = True

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        is_burst = timeout is None
        while not self._stop_requested and self._function.engine.is_running:
            has_room = self._function.engine.has_room and self._room.acquire(timeout=_LONGEST_WAIT_SECONDS)
            found = None
            try:
                if self.should_run_maintenance_tasks:
                    self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
                if has_room:
                    found = self._look(None if is_burst else _LONGEST_WAIT_SECONDS)
                else:
                    time.sleep(_WAIT_FOR_ROOM_SECONDS)
            except RedisError as error:
                _log.warning("the queue cannot be read; trying again", error=str(error))
                time.sleep(_LONGEST_WAIT_SECONDS)
            finally:
                if has_room and found is None:
                    self._room.release()
            if found is not None or (is_burst and has_room):
                return found
        raise StopRequested

    def _look(self, timeout: int | None) -> tuple[Job, Queue] | None:
        """The next job of the queue, if there is one within `timeout` seconds."""
        self.heartbeat()
        self._release()
        try:
            found = self.queue_class.dequeue_any(
                self.queues,
                timeout,
                connection=self.connection,
                job_class=self.job_class,
                serializer=self.serializer,
                death_penalty_class=self.death_penalty_class,
            )
        except DequeueTimeout:
            return None
        self._release()  # for another worker that waits
        return found

    def clean_registries(self) -> None:
        # First what is ours: a worker that was held up must not take its own jobs for a dead one's.
        for job, execution in list(self._running.values()):
            self.maintain_heartbeats(job, execution)
        if not self._contact.allows_judgement:
            return
        for queue in self.queues:
            # RQ's lock outlives a worker that dies holding it by a quarter of an hour.
            if self.connection.set(queue.registry_cleaning_key, 1, nx=True, ex=self._lease_seconds):
                clean_registries(queue, self._exc_handlers)
                clean_worker_registry(queue)
                TakenJobs(queue, self._lease_seconds).cleanup(self, queue)
                self.connection.delete(queue.registry_cleaning_key)
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def execute_job(self, job: Job, queue: Queue) -> None:
        execution = self.prepare_execution(job)
        if isinstance(job, TriedJob):
            job.run = execution.id
        self._running[execution.id] = (job, execution)
        self._threads.submit(self._perform, job, queue, execution)

    def teardown(self) -> None:
        deadline = time.monotonic() + self._drain_seconds
        while self._running and self._function.engine.is_running:
            if self._stop_requested and time.monotonic() > deadline:
                # Again and again: one of them may not yet have begun.
                for run in list(self._running):
                    self._function.cancel(run, HandedBack("the worker is stopping"))
            time.sleep(0.02)
        self._threads.shutdown()
        super().teardown()  # type: ignore[no-untyped-call]

    def handle_payload(self, message: dict[str, Any]) -> None:
        # RQ's own way to stop a job is to kill a process.
        command = parse_payload(message)
        if command["command"] == "stop-job":
            for job, execution in list(self._running.values()):
                if job.id == command["job_id"]:
                    self._function.cancel(execution.id, Canceled())

    # What RQ calls for one job, in the job's thread.

    def _perform(self, job: Job, queue: Queue, execution: Execution) -> None:
        try:
            self.perform_job(job, queue, execution)
        except Exception:  # the lease runs out, and another worker takes the job
            _log.exception("the books of a job could not be kept", job_id=job.id)
        finally:
            self.executions.pop(execution.id, None)
            del self._running[execution.id]
            self._room.release()

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        return self._lease_seconds

    def _finalize_success(self, job: Job, queue: Queue, execution: Execution, return_value: Any) -> None:
        if self._holds_lease(job, execution):
            super()._finalize_success(job, queue, execution, return_value)

    def _finalize_failure(self, job: Job, queue: Queue, execution: Execution, exc_info: Any) -> None:
        if not self._holds_lease(job, execution):
            return
        if not isinstance(exc_info[1], HandedBack):
            super()._finalize_failure(job, queue, execution, exc_info)
        elif self._function.requeue(job.id):
            self._push_back(job, queue, execution)
        else:
            super()._finalize_success(job, queue, execution, None)

    def _push_back(self, job: Job, queue: Queue, execution: Execution) -> None:
        with self.connection.pipeline() as pipeline:
            self.cleanup_execution(job, pipeline=pipeline, execution=execution)
            job.set_status(RqJobStatus.QUEUED, pipeline=pipeline)
            pipeline.hdel(job.key, "worker_name", "started_at", "ended_at")
            queue.push_job_id(job.id, pipeline=pipeline, at_front=True)
            pipeline.execute()

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: StartedJobRegistry | None = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        # Without an execution it is a job that was taken and never begun, for which RQ asks no exception handler.
        if execution is None:
            self._give_up(job)
        super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)

    def _holds_lease(self, job: Job, execution: Execution) -> bool:
        return self.connection.zscore(job.started_job_registry.key, execution.composite_key) is not None

    def _give_up(self, job: Job, *exception: Any) -> bool:
        if not job.should_retry:
            self._function.fail_after_lost_tries(job.id, _metadata(job))
        return True

    # The heartbeat, in a thread of its own.

    def _beat(self) -> None:
        while not self._ended.is_set():
            try:
                seconds, _ = self.connection.time()
                self.connection.zadd(WORKERS_KEY, {self.name: seconds})
                report = self._function.engine.report().model_dump_json()
                self.connection.set(worker_key(self.name), report, ex=WORKER_SILENCE_SECONDS)
                self._contact.made()
                self.connection.zremrangebyscore(WORKERS_KEY, "-inf", seconds - 10 * WORKER_SILENCE_SECONDS)
                self._follow_models()
                for job, execution in list(self._running.values()):
                    self.maintain_heartbeats(job, execution)
                    if execution.id in self._running and not self._holds_lease(job, execution):
                        _log.warning("a lease is lost; the job is another worker's", job_id=job.id)
                        self._function.cancel(execution.id, LeaseLost("the job is another worker's now"))
            except RedisError as error:
                _log.warning("heartbeat failed", error=str(error))
            except Exception:  # whatever it is, the leases of all jobs depend on this thread
                _log.exception("heartbeat failed")
            self._ended.wait(self._heartbeat_seconds)

    def _follow_models(self) -> None:
        changes = int(self.connection.get(MODEL_CHANGES_KEY) or 0)
        if changes != self._model_changes:
            names: Any = self.connection.smembers(UNLOADED_KEY)
            self._function.engine.refresh_models(frozenset(name.decode() for name in names))
            self._model_changes = changes


def _metadata(job: Job) -> dict[str, str]:
    return {name: str(value) for name, value in job.meta.items()}
