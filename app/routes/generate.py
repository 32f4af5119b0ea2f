"""POST /generate and POST /generate/conditional: new graphs, of any kind or near property values.

validate and complete -> find the job of an earlier request, or queue a new one -> wait -> answer
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, Response, status
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.catalogue.validation import check_memory, complete, find_card
from app.http.errors import ClientLeft, InvalidRequest, OwnerFull, QueueFull
from app.http.examples import JOB_ID
from app.http.openapi import example, header, problems
from app.http.sharing.leaving import while_connected
from app.jobs.estimates import capacity, work_seconds
from app.jobs.observability.spans import submitting
from app.jobs.queue import JobQueue, Submission
from app.jobs.reading import IdempotencyKey
from app.jobs.records import StoredJob
from app.routes.answers.results import job_response
from app.routes.deps import CardsDep, QueueDep
from app.routes.preferences import RequestContext, RequestContextDep
from app.schemas import AnyCompletedRequest, ConditionalRequest, GenerateRequest, Job
from models.card.card import ModelCard

router = APIRouter(tags=["generation"])
_log = structlog.get_logger(__name__)

_HEADERS = {
    "Location": header("Where the job is.", f"/jobs/{JOB_ID}"),
    "Idempotency-Replayed": header(
        "An earlier request with this Idempotency-Key gave this job.", "true", required=False
    ),
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Job,
        "description": "Done within the time that `Prefer: wait=N` gave.",
        "headers": _HEADERS | {"Preference-Applied": header("The wait that was applied.", "wait=10")},
        **example("succeeded"),
    },
    202: {
        "model": Job,
        "description": "Queued: poll the location.",
        "headers": _HEADERS,
        **example("queued"),
    },
    **problems(400, 415, 422, 429, 503),
}


@router.post("/generate", status_code=status.HTTP_202_ACCEPTED, response_model=Job, responses=_ANSWERS)
async def generate(body: GenerateRequest, cards: CardsDep, queue: QueueDep, context: RequestContextDep) -> Response:
    """Queue the generation of new graphs; poll the returned location for the result."""
    return await _answer(body, cards, queue, context)


@router.post("/generate/conditional", status_code=status.HTTP_202_ACCEPTED, response_model=Job, responses=_ANSWERS)
async def generate_conditional(
    body: ConditionalRequest, cards: CardsDep, queue: QueueDep, context: RequestContextDep
) -> Response:
    """Queue the generation of graphs whose properties are near `targets`; poll the returned location for the result."""
    return await _answer(body, cards, queue, context)


async def _answer(
    body: GenerateRequest, cards: Mapping[str, ModelCard], queue: JobQueue, context: RequestContext
) -> Response:
    """Validate, find the job or queue it, wait for it, answer."""
    await context.caller.count_submission()
    _check_webhook(body, context)
    card = find_card(body.model, cards)
    key = _idempotency_key(body, context.idempotency_key)
    submission = await _find_earlier(key, queue, context)
    if submission is None:
        # Reading molecules takes time that other callers must not wait for.
        completed = await run_in_threadpool(complete, body, card)
        submission = await _queue(completed, key, card, queue, context)
    _log.info("job queued before" if submission.is_known else "job queued", job_id=submission.job_id)
    found = await _wait(submission, queue, context)
    return _response(queue, found, context, is_known=submission.is_known)


def _check_webhook(body: GenerateRequest, context: RequestContext) -> None:
    if body.webhook and not context.has_webhooks:
        raise InvalidRequest(
            "webhook", "there are no webhooks here; whoever runs the service sets DIGRESS_WEBHOOK_SECRET"
        )


def _idempotency_key(body: GenerateRequest, key: str | None) -> IdempotencyKey | None:
    """Key and hash of the request as it was sent. The completed one cannot be hashed: a seed that was left out differs every time."""
    if key is None:
        return None
    return IdempotencyKey(key, hashlib.sha256(f"{type(body).__name__} {body.model_dump_json()}".encode()).hexdigest())


async def _find_earlier(key: IdempotencyKey | None, queue: JobQueue, context: RequestContext) -> Submission | None:
    """The job of an earlier request with the same idempotency key and body, if there is one."""
    job_id = await queue.find_by_idempotency_key(key, owner=context.caller.name) if key else None
    return Submission(job_id, None) if job_id else None


async def _queue(
    request: AnyCompletedRequest,
    key: IdempotencyKey | None,
    card: ModelCard,
    queue: JobQueue,
    context: RequestContext,
) -> Submission:
    """Queue a job, within the caller's quota and the workers' memory."""
    workers = await queue.workers()
    check_memory(request, card, capacity(card.name, workers))
    submit = partial(
        queue.submit,
        request,
        cost=work_seconds(request, card, workers),
        owner=context.caller.name,
        idempotency_key=key,
        request_id=context.request_id,
    )
    async with context.caller.reserve(request.num_graphs) as reservation:
        submission = await _submit_traced(submit, request, queue)
        if not submission.is_known:  # another request with the same key may have come first
            reservation.commit()
    if not submission.is_known:
        context.metrics.submitted.labels(card.name, request.kind, request.priority).inc()
    return submission


async def _submit_traced(submit: Callable[[], Submission], request: AnyCompletedRequest, queue: JobQueue) -> Submission:
    """Submit within a span of its own; if there is no room, for all or for the caller, say when there will be."""
    try:
        with submitting(request) as name_job:
            submission = await run_in_threadpool(submit)
            name_job(submission.job_id)
    except QueueFull as error:
        raise error.later(await queue.seconds_until_room()) from None
    except OwnerFull as error:
        raise error.later(await queue.seconds_until_done(error.excess)) from None
    return submission


async def _wait(submission: Submission, queue: JobQueue, context: RequestContext) -> StoredJob:
    """The job as it is after the wait that the request asked for."""
    try:
        # While too many wait, nobody else does: the answer is 202, as if the time were up.
        if context.wait_seconds and context.places.are_free(context.caller.name):
            waiting = queue.wait(submission.job_id, context.wait_seconds)
            with context.places.hold(context.caller.name), suppress(ClientLeft):
                await while_connected(context.request, waiting)
            await context.admit()  # its key may have been revoked meanwhile
        return await queue.find(submission.job_id)
    except RedisError:
        if submission.job is None:
            raise
        # The job is queued, even if Redis is gone now. Without its id the caller would submit it again.
        return StoredJob(submission.job, None)


def _response(queue: JobQueue, found: StoredJob, context: RequestContext, *, is_known: bool) -> Response:
    code, headers = status.HTTP_202_ACCEPTED, {"Location": found.job.links.self}
    if is_known:
        headers["Idempotency-Replayed"] = "true"
    if context.wait_seconds and found.job.status.is_final:
        code = status.HTTP_200_OK
        headers["Preference-Applied"] = f"wait={context.wait_seconds}"
    return job_response(queue, found, code, headers)
