"""The one function that workers run: a request in, graphs in the job's record."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from statistics import fmean
from typing import Any

import structlog
from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError
from rq.timeouts import JobTimeoutException

from app.schemas import AnyCompletedRequest, CompletedConditionalRequest, Graph, JobSummary, Problem
from models.card import CardError, ModelCard
from worker.encoding import encode
from worker.engine import Engine, UnknownModel
from worker.records import JobOver, JobRecord

_REQUEST: TypeAdapter[AnyCompletedRequest] = TypeAdapter(AnyCompletedRequest)
_log = structlog.get_logger(__name__)


class GenerationJob:
    """What RQ calls for `app.schemas.JOB_FUNCTION`."""

    def __init__(self, engine: Engine, redis: Redis, *, ttl_seconds: int) -> None:
        self._engine, self._redis, self._ttl = engine, redis, ttl_seconds

    def __call__(self, job_id: str, payload: dict[str, Any]) -> None:
        """Draw the graphs of a `CompletedRequest`, and record how it went.

        Raises:
            RedisError: if the outcome cannot be recorded; RQ then tries the job again, and its seed gives the same graphs.
        """
        log = _log.bind(job_id=job_id)
        try:
            self._run(self.record(job_id), payload, log)
        except JobOver:
            log.warning("the job is over already")

    def give_up(self, job_id: str) -> None:
        """RQ will not try the job again: every worker that took it died, or could not record how it went."""
        with suppress(JobOver):
            self.record(job_id).fail(
                _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the job was tried several times and never came to an end")
            )

    def record(self, job_id: str) -> JobRecord:
        """The record of a job."""
        return JobRecord(self._redis, job_id, ttl_seconds=self._ttl)

    def _run(self, record: JobRecord, payload: dict[str, Any], log: structlog.BoundLogger) -> None:
        record.start()
        try:
            request = _REQUEST.validate_python(payload)
            graphs, summary = self._draw(request, record)
            record.succeed(graphs, summary)
        except (RedisError, JobOver):
            raise
        except JobTimeoutException:
            log.warning("job took too long")
            record.fail(
                _problem(
                    HTTPStatus.GATEWAY_TIMEOUT,
                    "the job took longer than the service allows; ask for fewer graphs or steps",
                )
            )
        except (UnknownModel, CardError) as error:
            log.error("model cannot be used", error=str(error))
            record.fail(_problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)))
        except Exception:
            log.exception("job failed")
            record.fail(
                _problem(
                    HTTPStatus.INTERNAL_SERVER_ERROR,
                    "the worker failed in a way it did not foresee; the fault is logged",
                )
            )
        else:
            log.info("job succeeded", model=request.model, num_graphs=len(graphs), seconds=summary.seconds)

    def _draw(self, request: AnyCompletedRequest, record: JobRecord) -> tuple[list[Graph], JobSummary]:
        started = time.perf_counter()
        card = self._engine.model(request.model).card
        drawn = dict(pair for batch in self._engine.generate(request, record.progress) for pair in encode(batch, card))
        graphs = [drawn[index] for index in range(request.num_graphs)]
        return graphs, summarise(graphs, request, card, seconds=time.perf_counter() - started)


def summarise(graphs: Sequence[Graph], request: AnyCompletedRequest, card: ModelCard, *, seconds: float) -> JobSummary:
    """Counts over a job's graphs."""
    summary = JobSummary(num_graphs=len(graphs), seconds=round(seconds, 3))
    if isinstance(request, CompletedConditionalRequest):
        summary = summary.model_copy(
            update={
                "candidates": request.num_graphs * request.candidates,
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


def _problem(status: HTTPStatus, detail: str) -> Problem:
    return Problem(title=status.phrase, status=status, detail=detail)
