"""The one function that workers run: a request in, graphs in the job's record."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import structlog
from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError

from app.jobs.records import created_at
from app.schemas import AnyCompletedRequest, Graph, JobStatus, JobSummary, Problem, Trajectory
from models.card.folder import CardError
from worker.engine.engine import Engine
from worker.engine.job import EngineJob, EngineStopped, TooLarge, TooLong
from worker.records import Canceled, JobOver, JobRecord
from worker.results.selection import collect, selection_for
from worker.results.summary import summarise
from worker.store import UnknownModel
from worker.tracing import add_event, job_span, record_error, set_job_attributes

_REQUEST: TypeAdapter[AnyCompletedRequest] = TypeAdapter(AnyCompletedRequest)
_log = structlog.get_logger(__name__)


_TOO_LONG = Problem(
    title=HTTPStatus.GATEWAY_TIMEOUT.phrase,
    status=HTTPStatus.GATEWAY_TIMEOUT,
    detail="the job took longer than the service allows, and keeps what was finished by then; ask for fewer graphs or steps",
)


class JobReleased(Exception):
    """This worker leaves the job to another one, and writes nothing about it into the record."""


class RetriesExhausted(Exception):
    """Every worker that took the job died."""


@dataclass(frozen=True)
class _Attempt:
    """One of the times that a job is tried."""

    run: str
    owner: str
    tries_lost: int
    limit_seconds: float | None
    log: structlog.BoundLogger


class GenerationJob:
    """What RQ calls for `app.jobs.keys.JOB_FUNCTION`, in a thread for each job."""

    def __init__(self, engine: Engine, redis: Redis, *, ttl_seconds: int) -> None:
        self.engine = engine
        self._redis, self._ttl = redis, ttl_seconds
        self._jobs: dict[str, EngineJob] = {}

    def __call__(
        self,
        job_id: str,
        payload: dict[str, Any],
        *,
        run: str,
        tries_lost: int = 0,
        limit_seconds: float | None = None,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Draw the graphs of a `CompletedRequest`, and record how the job ended.

        `run` identifies this attempt. The more `tries_lost`, in which a worker died with the job, the larger is the job's share of the
        engine. `metadata` is that of the RQ message: `owner`, and for logs and traces `request_id`, `traceparent`.

        Raises:
            JobReleased: if the run is canceled for that reason.
            EngineStopped: if the engine has stopped; another worker can do the job.
            RedisError: if the end cannot be recorded; RQ then tries the job again, and its seed gives the same graphs.
        """
        log = _log.bind(job_id=job_id, request_id=metadata.get("request_id", ""), tries_lost=tries_lost)
        with job_span(job_id, metadata):
            try:
                owner = metadata.get("owner", "")
                self._run(job_id, payload, _Attempt(run, owner, tries_lost, limit_seconds, log))
            except JobOver:
                add_event("already ended")
                log.warning("job already ended")

    def cancel(self, run: str, reason: Exception) -> None:
        """End a run before its next step; does nothing if it is not being drawn."""
        if job := self._jobs.get(run):
            job.cancel(reason)

    def requeue(self, job_id: str) -> bool:
        """Record that the job is queued again; False if it is over, because it was canceled."""
        record = self.record(job_id)
        try:
            record.requeue()
        except Canceled:
            record.cancel([], JobSummary(num_graphs=0, seconds=0))
            return False
        except JobOver:
            return False
        return True

    def fail_after_lost_tries(self, job_id: str, metadata: Mapping[str, str]) -> None:
        """Record a failure that RQ reports: every worker that took the job died, or could not record how it ended."""
        with suppress(JobOver):
            self.record(job_id).fail(
                _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the job was tried several times and never came to an end")
            )
            with job_span(job_id, metadata):
                set_job_attributes(status=JobStatus.FAILED)
                record_error(RetriesExhausted())

    def record(
        self, job_id: str, *, on_end: Callable[[JobStatus, JobSummary | None], None] = lambda status, summary: None
    ) -> JobRecord:
        """The record of a job; `on_end` is called once its end has been written."""
        return JobRecord(self._redis, job_id, ttl_seconds=self._ttl, on_end=on_end)

    def _run(self, job_id: str, payload: dict[str, Any], attempt: _Attempt) -> None:
        count = _JobCount(self.engine, payload)
        record = self.record(job_id, on_end=count.ended)
        try:
            record.start()
            count.started(job_id)
            self._draw(_REQUEST.validate_python(payload), record, attempt)
        except (JobOver, JobReleased):
            raise
        except Canceled:
            record.cancel([], JobSummary(num_graphs=0, seconds=0))
        except Exception as error:
            record_error(error)
            if isinstance(error, RedisError | EngineStopped):
                raise
            record.fail(_explain(error, attempt.log))

    def _draw(self, request: AnyCompletedRequest, record: JobRecord, attempt: _Attempt) -> None:
        set_job_attributes(num_graphs=request.num_graphs)
        job = self._jobs[attempt.run] = self.engine.submit(
            request, owner=attempt.owner, tries_lost=attempt.tries_lost, limit_seconds=attempt.limit_seconds
        )
        try:
            _draw_and_record(job, record, attempt.log)
        finally:
            del self._jobs[attempt.run]
            job.cancel(JobReleased("nobody waits for it"))  # does nothing to a job that is done


def _draw_and_record(job: EngineJob, record: JobRecord, log: structlog.BoundLogger) -> None:
    """Draw until the graphs are there, the job is canceled or its time is up; record that end, with all finished graphs."""
    started = time.perf_counter()
    selection = selection_for(job.request, job.card)
    add_event("drawing begins")
    log.info("job begins", model=job.card.name)
    write_end: Callable[[Sequence[Graph], JobSummary, Sequence[Trajectory]], None] = record.succeed
    outcome, num_missing = "succeeded", 0
    try:
        collect(job, selection, job.card, record.progress)
        num_missing = selection.num_missing
    except Canceled:
        write_end, outcome = record.cancel, "canceled"
    except TooLong as error:
        record_error(error)
        write_end, outcome = partial(record.fail, _TOO_LONG), "took too long"
    add_event("drawing ended")

    numbers = sorted(selection.kept)
    graphs = [selection.kept[number] for number in numbers]
    trajectories = [selection.trajectories[number] for number in numbers if number in selection.trajectories]
    seconds = time.perf_counter() - started
    summary = summarise(
        graphs,
        job.request,
        job.card,
        num_drawn=selection.num_drawn,
        seconds=seconds,
        refused=selection.refused,
        num_missing=num_missing,
    )
    write_end(graphs, summary, trajectories)
    log.info("job ended", outcome=outcome, model=job.card.name, num_graphs=len(graphs), seconds=summary.seconds)


class _JobCount:
    """Counts one job in the worker's metrics, and puts the same on the job's span."""

    def __init__(self, engine: Engine, payload: Mapping[str, Any]) -> None:
        self._metrics, self._started = engine.metrics, time.perf_counter()
        # A label must be one of a few values, whatever the message contains.
        self._model = payload["model"] if payload.get("model") in engine.store.names else "unknown"
        self._kind = "conditional" if "targets" in payload else "unconditional"

    def started(self, job_id: str) -> None:
        waited = time.time() - created_at(job_id)
        self._metrics.job_started(self._model, self._kind, waited=waited)
        set_job_attributes(model=self._model, kind=self._kind, wait_seconds=round(waited, 3))

    def ended(self, status: JobStatus, summary: JobSummary | None) -> None:
        seconds = time.perf_counter() - self._started
        self._metrics.job_ended(self._model, self._kind, status, seconds=seconds, summary=summary)
        set_job_attributes(status=status)


def _explain(error: Exception, log: structlog.BoundLogger) -> Problem:
    """The error that the owner of a failed job sees; the log says more."""
    match error:
        case TooLong():
            return _TOO_LONG
        case TooLarge():
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}; ask for smaller ones")
        case UnknownModel():
            log.error("model cannot be used", error=str(error))
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        case CardError():
            log.error("model cannot be used", error=str(error))
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, error.public)
        case _:
            log.error("job failed", exc_info=error)
            return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected error in the worker; the fault is logged")


def _problem(status: HTTPStatus, detail: str) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail)
