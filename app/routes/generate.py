"""POST /generate and POST /generate/conditional: ask for new graphs, of whatever kind or near property values."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response, status
from starlette.concurrency import run_in_threadpool

from app.completion import check_memory, complete, find_card
from app.deps import CardsDep, QueueDep
from app.errors import QueueFull, problems
from app.estimates import capacity, cost
from app.preferences import Terms, TermsDep
from app.queue import Again, JobQueue
from app.schemas import ConditionalRequest, GenerateRequest, Job
from models.card import ModelCard

router = APIRouter(tags=["generation"])

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Job, "description": "Done within the time that `Prefer: wait=N` gave."},
    202: {"model": Job, "description": "Queued: poll the location."},
    **problems(400, 413, 415, 422, 503),
}


@router.post("/generate", status_code=status.HTTP_202_ACCEPTED, response_model=Job, responses=_ANSWERS)
async def generate(body: GenerateRequest, cards: CardsDep, queue: QueueDep, terms: TermsDep) -> Response:
    """Queue the generation of new graphs; poll the returned location for the result."""
    return await _submit(body, cards, queue, terms)


@router.post("/generate/conditional", status_code=status.HTTP_202_ACCEPTED, response_model=Job, responses=_ANSWERS)
async def generate_conditional(body: ConditionalRequest, cards: CardsDep, queue: QueueDep, terms: TermsDep) -> Response:
    """Queue the generation of graphs whose properties are near `targets`; poll the returned location for the result."""
    return await _submit(body, cards, queue, terms)


async def _submit(
    body: GenerateRequest,
    cards: Mapping[str, ModelCard],
    queue: JobQueue,
    terms: Terms,
) -> Response:
    card = find_card(body.model, cards)
    request, workers = complete(body, card), await queue.workers()
    check_memory(request, card, capacity(card.name, workers))
    # What was sent, not what was made of it: a seed that was left out is another one every time.
    body_hash = hashlib.sha256(f"{request.kind} {body.model_dump_json()}".encode()).hexdigest()
    again = Again(terms.key, body_hash) if terms.key else None
    try:
        submission = await run_in_threadpool(queue.submit, request, cost=cost(request, card, workers), again=again)
    except QueueFull as error:
        raise QueueFull(error.detail, retry_after=await queue.seconds_until_room()) from None
    if terms.wait:
        await queue.wait(submission.job_id, terms.wait, pointless=terms.pointless)
    found = await queue.find(submission.job_id)

    headers = {"Location": found.job.links.self}
    if submission.is_known:
        headers["Idempotency-Replayed"] = "true"
    code = status.HTTP_202_ACCEPTED
    if terms.wait and found.job.status.is_final:
        code = status.HTTP_200_OK
        headers["Preference-Applied"] = f"wait={terms.wait}"
    return Response(found.to_json(), code, headers, media_type="application/json")
