"""POST /generate and POST /generate/conditional: ask for new graphs, of whatever kind or near property values."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, Response, status
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.catalogue.validation import check_memory, complete, find_card
from app.http.errors import InvalidRequest, QueueFull
from app.http.examples import JOB_ID
from app.http.openapi import example, header, problems
from app.jobs.estimates import capacity, cost
from app.jobs.queue import IdempotencyKey, JobQueue, Submission
from app.jobs.records import FoundJob
from app.jobs.tracing import submitting
from app.routes.deps import CardsDep, QueueDep
from app.routes.preferences import RequestContext, RequestContextDep
from app.schemas import AnyCompletedRequest, ConditionalRequest, GenerateRequest, Job
from models.card.card import ModelCard

router = APIRouter(tags=["generation"])
_log = structlog.get_logger(__name__)

_HEADERS = {
    "Location": header("Where the job is.", f"/jobs/{JOB_ID}"),
    "Idempotency-Replayed": header(
        "That an earlier request with this Idempotency-Key gave this job.", "true", required=False
    ),
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Job,
        "description": "Done within the time that `Prefer: wait=N` gave.",
        "headers": _HEADERS | {"Preference-Applied": header("That it was waited for.", "wait=10")},
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
    return await _submit(body, cards, queue, context)


@router.post("/generate/conditional", status_code=status.HTTP_202_ACCEPTED, response_model=Job, responses=_ANSWERS)
async def generate_conditional(
    body: ConditionalRequest, cards: CardsDep, queue: QueueDep, context: RequestContextDep
) -> Response:
    """Queue the generation of graphs whose properties are near `targets`; poll the returned location for the result."""
    return await _submit(body, cards, queue, context)


async def _submit(
    body: GenerateRequest, cards: Mapping[str, ModelCard], queue: JobQueue, context: RequestContext
) -> Response:
    await context.caller.count_submission()
    if body.webhook and not context.has_webhooks:
        raise InvalidRequest(
            "webhook", "there are no webhooks here; whoever runs the service sets DIGRESS_WEBHOOK_SECRET"
        )
    card = find_card(body.model, cards)
    idempotency_key = _idempotency_key(body, context.key)
    job_id = await queue.recall(idempotency_key, owner=context.caller.name) if idempotency_key else None
    submission = (
        Submission(job_id, None)
        if job_id
        else await _queue(complete(body, card), card, queue, context, idempotency_key)
    )
    job_id, is_known = submission.job_id, submission.is_known
    _log.info("job queued before" if is_known else "job queued", job_id=job_id)
    if not is_known:
        context.metrics.submitted.labels(
            card.name, "conditional" if isinstance(body, ConditionalRequest) else "unconditional", body.priority
        ).inc()
    try:
        if context.wait:
            await queue.wait(job_id, context.wait, should_stop=context.should_stop)
        found = await queue.find(job_id)
    except RedisError:
        if submission.job is None:
            raise
        # It is queued, whatever has become of Redis since: without its id the caller would ask for it again.
        found = FoundJob(submission.job, None)

    headers = {"Location": found.job.links.self}
    if is_known:
        headers["Idempotency-Replayed"] = "true"
    code = status.HTTP_202_ACCEPTED
    if context.wait and found.job.status.is_final:
        code = status.HTTP_200_OK
        headers["Preference-Applied"] = f"wait={context.wait}"
    return Response(found.to_json(), code, headers, media_type="application/json")


def _idempotency_key(body: GenerateRequest, key: str | None) -> IdempotencyKey | None:
    """What the request is known by if it is sent again: what was sent, not what is made of it, since a seed that was left out is another one every time."""
    if key is None:
        return None
    return IdempotencyKey(key, hashlib.sha256(f"{type(body).__name__} {body.model_dump_json()}".encode()).hexdigest())


async def _queue(
    request: AnyCompletedRequest,
    card: ModelCard,
    queue: JobQueue,
    context: RequestContext,
    idempotency_key: IdempotencyKey | None,
) -> Submission:
    workers = await queue.workers()
    check_memory(request, card, capacity(card.name, workers))
    submit = partial(
        queue.submit,
        cost=cost(request, card, workers),
        owner=context.caller.name,
        idempotency_key=idempotency_key,
        request_id=context.request_id,
    )
    async with context.caller.spending(request.num_graphs) as purchase:
        try:
            with submitting(request) as name_job:
                submission = await run_in_threadpool(submit, request)
                name_job(submission.job_id)
        except QueueFull as error:
            raise QueueFull(error.detail, retry_after=await queue.seconds_until_room()) from None
        purchase.is_off = submission.is_known
    return submission
