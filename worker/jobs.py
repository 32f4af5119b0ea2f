"""The one function that workers run: a request in, graphs in the job's record."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from statistics import fmean
from types import MappingProxyType
from typing import Any

import structlog
from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError

from app.jobs.keys import created_at
from app.schemas import (
    AnyCompletedRequest,
    Graph,
    JobStatus,
    JobSummary,
    Problem,
    Trajectory,
)
from models.card.card import ModelCard
from models.card.folder import CardError
from worker.engine import Engine, EngineJob, EngineStopped, TooLarge, TooLong
from worker.records import Canceled, JobOver, JobRecord
from worker.selection import Selection, collect
from worker.store import UnknownModel
from worker.tracing import describe_job, job_span, note, note_error

_REQUEST: TypeAdapter[AnyCompletedRequest] = TypeAdapter(AnyCompletedRequest)
_log = structlog.get_logger(__name__)


_TOO_LONG = Problem(
    title=HTTPStatus.GATEWAY_TIMEOUT.phrase,
    status=HTTPStatus.GATEWAY_TIMEOUT,
    detail="the job took longer than the service allows, and keeps what was finished by then; ask for fewer graphs or steps",
)


class NotThisWorkers(Exception):
    """A job that this worker leaves to another one; its record says nothing of that."""


class NeverEnded(Exception):
    """Every worker that took the job died over it."""


class GenerationJob:
    """What RQ calls for `app.schemas.JOB_FUNCTION`, in a thread for each job."""

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
        came_with: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Draw the graphs of a `CompletedRequest`, and record how it went; `run` tells apart the times a job is tried.

        A job that has `tries_lost` to dead workers gets on faster than others, lest it is lost for ever. `came_with` is what
        the job's message has for logs and traces: `request_id`, `traceparent`.

        Raises:
            NotThisWorkers: if the run is called off for that reason.
            EngineStopped: if the engine has ended; another worker can do the job.
            RedisError: if the outcome cannot be recorded; RQ then tries the job again, and its seed gives the same graphs.
        """
        log = _log.bind(job_id=job_id, request_id=came_with.get("request_id", ""), tries_lost=tries_lost)
        with job_span(job_id, came_with):
            try:
                self._run(job_id, payload, log, run=run, tries_lost=tries_lost, limit_seconds=limit_seconds)
            except JobOver:
                note("over already")
                log.warning("the job is over already")

    def call_off(self, run: str, reason: Exception) -> None:
        """End a run before its next step; one that is not being drawn is left alone."""
        if job := self._jobs.get(run):
            job.call_off(reason)

    def hand_back(self, job_id: str) -> bool:
        """Record that the job is queued again; False if it is over, since it was canceled."""
        record = self.record(job_id)
        try:
            record.requeue()
        except Canceled:
            record.cancel([], JobSummary(num_graphs=0, seconds=0))
            return False
        except JobOver:
            return False
        return True

    def give_up(self, job_id: str, came_with: Mapping[str, str]) -> None:
        """RQ will not try the job again: every worker that took it died, or could not record how it went."""
        with suppress(JobOver):
            self.record(job_id).fail(
                _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the job was tried several times and never came to an end")
            )
            with job_span(job_id, came_with):
                describe_job(status=JobStatus.FAILED)
                note_error(NeverEnded())

    def record(
        self, job_id: str, *, on_end: Callable[[JobStatus, JobSummary | None], None] = lambda status, summary: None
    ) -> JobRecord:
        """The record of a job; `on_end` is called once its end has been written."""
        return JobRecord(self._redis, job_id, ttl_seconds=self._ttl, on_end=on_end)

    def _run(
        self,
        job_id: str,
        payload: dict[str, Any],
        log: structlog.BoundLogger,
        *,
        run: str,
        tries_lost: int,
        limit_seconds: float | None,
    ) -> None:
        count = _Count(self.engine, payload)
        record = self.record(job_id, on_end=count.ended)
        try:
            record.start()
            count.begun(job_id)
            request = _REQUEST.validate_python(payload)
            describe_job(num_graphs=request.num_graphs)
            job = self._jobs[run] = self.engine.submit(request, tries_lost=tries_lost, limit_seconds=limit_seconds)
            try:
                self._draw(job, record, log)
            finally:
                del self._jobs[run]
                job.call_off(NotThisWorkers("nobody waits for it"))  # does nothing to one that is done
        except (JobOver, NotThisWorkers):
            raise
        except Canceled:
            record.cancel([], JobSummary(num_graphs=0, seconds=0))
        except Exception as error:
            note_error(error)
            if isinstance(error, RedisError | EngineStopped):
                raise
            record.fail(_explain(error, log))

    def _draw(self, job: EngineJob, record: JobRecord, log: structlog.BoundLogger) -> None:
        started = time.perf_counter()
        request = job.request
        card = job.card
        selection = Selection(request.filter)
        end: Callable[[Sequence[Graph], JobSummary, Sequence[Trajectory]], None] = record.succeed
        note("drawing begins")
        log.info("job begins", model=card.name)
        how, short = "succeeded", 0
        try:
            short = len(collect(job, selection, card, record.progress))
        except Canceled:
            end, how = record.cancel, "canceled"
        except TooLong as error:
            note_error(error)
            end, how = partial(record.fail, _TOO_LONG), "took too long"
        note("drawing ended")
        graphs = [selection.kept[index] for index in sorted(selection.kept)]
        seconds = time.perf_counter() - started
        summary = summarise(graphs, request, card, num_drawn=selection.num_drawn, seconds=seconds)
        trajectories = [
            selection.trajectories[index] for index in sorted(selection.kept) if index in selection.trajectories
        ]
        end(graphs, summary.model_copy(update={"short": short}), trajectories)
        log.info("job ended", how=how, model=card.name, num_graphs=len(graphs), seconds=summary.seconds)


class _Count:
    """Counts one job for the metrics of an engine's worker, and tells its span the same."""

    def __init__(self, engine: Engine, payload: Mapping[str, Any]) -> None:
        self._metrics, self._started = engine.metrics, time.perf_counter()
        # A label must not be whatever a message says.
        self._model = payload["model"] if payload.get("model") in engine.store.names else "unknown"
        self._kind = "conditional" if "targets" in payload else "unconditional"

    def begun(self, job_id: str) -> None:
        waited = time.time() - created_at(job_id)
        self._metrics.begun(self._model, self._kind, waited=waited)
        describe_job(model=self._model, kind=self._kind, wait_seconds=round(waited, 3))

    def ended(self, status: JobStatus, summary: JobSummary | None) -> None:
        seconds = time.perf_counter() - self._started
        self._metrics.ended(self._model, self._kind, status, seconds=seconds, summary=summary)
        describe_job(status=status)


def summarise(
    graphs: Sequence[Graph], request: AnyCompletedRequest, card: ModelCard, *, num_drawn: int, seconds: float
) -> JobSummary:
    """Counts over a job's graphs; `num_drawn` counts those that were turned down too."""
    summary = JobSummary(num_graphs=len(graphs), seconds=round(seconds, 3))
    if request.targets:
        summary = summary.model_copy(
            update={
                "candidates": num_drawn * request.candidates,
                "predicted_error": _predicted_error(graphs, request.targets),
            }
        )
    if card.domain != "molecule":
        return summary
    valid = [graph.graph["smiles"] for graph in graphs if graph.graph["valid"]]
    counts = {
        "valid": len(valid),
        "valid_and_connected": sum("." not in smiles for smiles in valid),
        "unique": len(set(valid)),
    }
    return summary.model_copy(update=counts)


def _predicted_error(graphs: Sequence[Graph], targets: Mapping[str, float]) -> dict[str, float] | None:
    sound = [graph.graph["properties"] for graph in graphs if graph.graph.get("valid", True)]
    if not sound:
        return None
    return {
        name: round(fmean(abs(properties[name] - value) for properties in sound), 4) for name, value in targets.items()
    }


def _explain(error: Exception, log: structlog.BoundLogger) -> Problem:
    """What the owner of a job is told of the error that it failed by; the log has more of it."""
    match error:
        case TooLong():
            return _TOO_LONG
        case TooLarge():
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}; ask for smaller ones")
        case UnknownModel() | CardError():
            log.error("model cannot be used", error=str(error))
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        case _:
            log.error("job failed", exc_info=error)
            return _problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "the worker failed in a way it did not foresee; the fault is logged"
            )


def _problem(status: HTTPStatus, detail: str) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail)
