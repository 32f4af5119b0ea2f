"""The RQ worker: takes jobs from Redis, many at a time, and runs the one function it knows in a thread for each.

All jobs of one process share one engine, so up to `max_jobs` executions go on at once, as long as the engine has room.
RQ's SimpleWorker runs one job after the other, in the main thread. What has to be overridden for that in RQ 3, and why:

    death_penalty_class          RQ's time limit is a signal, and reaches the main thread only; the engine watches the limits
    job_class (`worker.rq_job`)  a dotted name in Redis must import nothing; messages are JSON for the same reason
    request_stop                 a signal must not raise between taking a job and knowing of it, so it leaves a note
    dequeue_job_and_maintain_ttl a job is taken only if the engine has room for its owner, the scheduler decides which is next
                                 (`scripts/release.lua`), and maintenance goes on when there is no room
    execute_job                  a job runs in a thread of its own, and the work loop goes on
    teardown                     jobs under way get `drain_seconds` to end; the others are handed back
    handle_payload               RQ stops a job by killing a process; here the engine stops drawing it
    clean_registries             only a worker that was in touch with Redis may take over jobs of others; its own come first
    get_heartbeat_ttl            a lease is short, so a dead worker's job is soon taken over, not after its time limit
    _finalize_success, _failure  a worker that has lost a lease must not touch RQ's data of a job that is another one's now;
                                 a job that is handed back returns to the front of the queue and loses no try
    handle_job_failure           RQ asks no exception handler about a job that was taken and never begun

Told to stop, the worker takes no more jobs and drains. Told a second time, it ends at once, and its leases run out.
"""

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
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

from app.jobs import lua
from app.jobs.keys import (
    BACKLOG_KEY,
    CLOCK_KEY,
    OWNER_PENDING_PREFIX,
    PENDING_KEY,
    QUEUE,
    RECORD_PREFIX,
    RQ_QUEUE_KEY,
    WAITING_KEY,
)
from app.jobs.leases import maintenance_seconds
from worker.jobs import GenerationJob, JobReleased
from worker.leases.expired import LeasedIntermediateQueue
from worker.leases.heartbeat import Heartbeat
from worker.records import Canceled
from worker.rq_job import ExecutableJob, allow_only, message_context, owner_of

_log = structlog.get_logger(__name__)
# RQ counts in whole seconds.
_DEQUEUE_SECONDS = 1
_WAIT_FOR_ROOM_SECONDS = 0.05
# Jobs of one owner take at most this share of the places, so that another owner's begin at once.
_OWNER_SHARE = 7 / 8
_DRAIN_POLL_SECONDS = 0.02


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
        self._lease_seconds, self._drain_seconds = lease_seconds, drain_seconds
        # By execution: should a lease run out unnoticed, the same job may be here twice for a while.
        self._running: dict[str, tuple[Job, Execution]] = {}
        self._room, self._most_of_owner = threading.Semaphore(max_jobs), math.ceil(_OWNER_SHARE * max_jobs)
        self._threads = ThreadPoolExecutor(max_jobs, thread_name_prefix="job")
        self._release = lua.load(redis, "release")
        job_class = allow_only(function)
        super().__init__(
            [Queue(QUEUE, connection=redis, job_class=job_class, serializer=JSONSerializer)],
            connection=redis,
            job_class=job_class,
            serializer=JSONSerializer,
            worker_ttl=2 * lease_seconds,
            maintenance_interval=maintenance_seconds(lease_seconds),
            exception_handlers=[self._give_up],
            log_job_description=False,
        )
        self._heartbeat = Heartbeat(
            redis, self.name, function.engine, lease_seconds=lease_seconds, renew_leases=self._renew_leases
        )

    def run(self) -> bool:
        """Take jobs until asked to stop by SIGINT or SIGTERM.

        Returns whether it was asked to stop: RQ also stops, with a word in the log, when it cannot go on.
        """
        # RQ installs them too, but only after it has said that the worker is there.
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        self._heartbeat.start()
        try:
            self.work(logging_level="WARNING")
        finally:
            self._heartbeat.stop()
        self._heartbeat.sign_off()
        return self._stop_requested

    # What RQ's work loop calls, in the main thread.

    def request_stop(self, signum: int, frame: object) -> None:
        if self._stop_requested:
            _log.warning("told to stop a second time; ending at once")
            os._exit(1)
        self._stop_requested = True

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        is_burst = timeout is None
        while not self._stop_requested and self._function.engine.is_running:
            has_room = self._room.acquire(timeout=_DEQUEUE_SECONDS)
            found = None
            try:
                if self.should_run_maintenance_tasks:
                    self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
                if has_room:
                    found = self._dequeue(None if is_burst else _DEQUEUE_SECONDS)
            except RedisError as error:
                _log.warning("the queue cannot be read; trying again", error=str(error))
                time.sleep(_DEQUEUE_SECONDS)
            finally:
                if has_room and found is None:
                    self._room.release()
            if found is not None or (is_burst and has_room and not self._busy_owners()):
                return found
        raise StopRequested

    def _dequeue(self, timeout: int | None) -> tuple[Job, Queue] | None:
        """The next job of the queue whose owner may have one more here, if there is one within `timeout` seconds."""
        self.heartbeat()
        busy = self._busy_owners()
        is_there = self._release_next(busy)
        if busy and not is_there:
            time.sleep(_WAIT_FOR_ROOM_SECONDS)
            return None
        if busy:
            timeout = None  # the next one to come may be of a busy owner
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
        self._release_next()  # for another worker that waits
        return found

    def _busy_owners(self) -> set[str]:
        """Owners who have so much work here that no more of theirs is taken now."""
        num_jobs = Counter(owner_of(job) for job, _ in list(self._running.values()))
        has_room_for = self._function.engine.has_room_for
        return {owner for owner, number in num_jobs.items() if number >= self._most_of_owner or not has_room_for(owner)}

    def _release_next(self, busy: Collection[str] = ()) -> bool:
        """Put the job whose turn it is into RQ's list, if that is empty; returns whether the first one there is for this worker.

        It is not if its owner is `busy`. Then that of another owner goes before it, if one waits.
        """
        keys = {
            "rq_queue": RQ_QUEUE_KEY,
            "pending": PENDING_KEY,
            "clock": CLOCK_KEY,
            "backlog": BACKLOG_KEY,
            "waiting": WAITING_KEY,
        }
        args: dict[str, lua.Value] = {
            "record_prefix": RECORD_PREFIX,
            "owner_pending_prefix": OWNER_PENDING_PREFIX,
            "busy_owners": lua.pack_list(busy),
        }
        return bool(self._release(keys=keys, args=args))

    def clean_registries(self) -> None:
        # First what is ours: a worker that was held up must not take its own jobs for a dead one's.
        for job, execution in list(self._running.values()):
            self.maintain_heartbeats(job, execution)
        if not self._heartbeat.contact.proves_workers_dead:
            return
        for queue in self.queues:
            # RQ's lock outlives a worker that dies holding it by a quarter of an hour.
            if self.connection.set(queue.registry_cleaning_key, 1, nx=True, ex=self._lease_seconds):
                clean_registries(queue, self._exc_handlers)
                clean_worker_registry(queue)
                LeasedIntermediateQueue(queue, self._lease_seconds).cleanup(self, queue)
                self.connection.delete(queue.registry_cleaning_key)
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def execute_job(self, job: Job, queue: Queue) -> None:
        execution = self.prepare_execution(job)
        if isinstance(job, ExecutableJob):
            job.execution_id = execution.id
        self._running[execution.id] = (job, execution)
        self._threads.submit(self._perform, job, queue, execution)

    def teardown(self) -> None:
        deadline = time.monotonic() + self._drain_seconds
        while self._running and self._function.engine.is_running:
            if self._stop_requested and time.monotonic() > deadline:
                # Again and again: one of them may not yet have begun.
                for execution_id in list(self._running):
                    self._function.cancel(execution_id, HandedBack("the worker is stopping"))
            time.sleep(_DRAIN_POLL_SECONDS)
        self._threads.shutdown()
        super().teardown()  # type: ignore[no-untyped-call]

    def handle_payload(self, message: dict[str, Any]) -> None:
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
            _log.exception("RQ's data of a job could not be written", job_id=job.id)
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
            self._requeue(job, queue, execution)
        else:
            super()._finalize_success(job, queue, execution, None)

    def _requeue(self, job: Job, queue: Queue, execution: Execution) -> None:
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
        if execution is None:  # it was taken and never begun
            self._give_up(job)
        super().handle_job_failure(job, queue, started_job_registry, exc_string, execution)

    # Leases and retries.

    def _renew_leases(self) -> None:
        """Renew the lease of every job here, and stop those whose lease is lost. The heartbeat's thread calls it."""
        for job, execution in list(self._running.values()):
            self.maintain_heartbeats(job, execution)
            if execution.id in self._running and not self._holds_lease(job, execution):
                _log.warning("a lease is lost; the job is another worker's", job_id=job.id)
                self._function.cancel(execution.id, LeaseLost("the job is another worker's now"))

    def _holds_lease(self, job: Job, execution: Execution) -> bool:
        return self.connection.zscore(job.started_job_registry.key, execution.composite_key) is not None

    def _give_up(self, job: Job, *exception: Any) -> bool:
        """RQ's exception handler: a job without retries left has failed. True: RQ goes on as usual."""
        if not job.should_retry:
            self._function.fail_after_lost_tries(job.id, message_context(job))
        return True
