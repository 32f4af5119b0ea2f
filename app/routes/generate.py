"""POST /generate and POST /generate/conditional: ask for new graphs, of whatever kind or near property values."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Response, status
from starlette.concurrency import run_in_threadpool

from app.completion import check_memory, complete, find_card
from app.deps import CardsDep, PointlessDep, QueueDep
from app.errors import problems
from app.preferences import WaitDep
from app.queue import JobQueue
from app.schemas import ConditionalRequest, GenerateRequest, Job
from models.card import ModelCard

router = APIRouter(tags=["generation"])

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Job, "description": "Done within the time that `Prefer: wait=N` gave."},
    202: {"model": Job, "description": "Queued: poll the location."},
    **problems(400, 413, 415, 422, 503),
}


@router.post("/generate", status_code=status.HTTP_202_ACCEPTED, response_model=Job, responses=_ANSWERS)
async def generate(
    body: GenerateRequest, cards: CardsDep, queue: QueueDep, wait: WaitDep, pointless: PointlessDep
) -> Response:
    """Queue the generation of new graphs; poll the returned location for the result."""
    return await _submit(body, cards, queue, wait=wait, pointless=pointless)


@router.post("/generate/conditional", status_code=status.HTTP_202_ACCEPTED, response_model=Job, responses=_ANSWERS)
async def generate_conditional(
    body: ConditionalRequest, cards: CardsDep, queue: QueueDep, wait: WaitDep, pointless: PointlessDep
) -> Response:
    """Queue the generation of graphs whose properties are near `targets`; poll the returned location for the result."""
    return await _submit(body, cards, queue, wait=wait, pointless=pointless)


async def _submit(
    body: GenerateRequest,
    cards: Mapping[str, ModelCard],
    queue: JobQueue,
    *,
    wait: int | None,
    pointless: Callable[[], Awaitable[bool]],
) -> Response:
    card = find_card(body.model, cards)
    request = complete(body, card)
    check_memory(request, card, await queue.capacity(card.name))
    job_id = await run_in_threadpool(queue.submit, request)
    if wait:
        await queue.wait(job_id, wait, pointless=pointless)
    found = await queue.find(job_id)

    headers = {"Location": found.job.links.self}
    code = status.HTTP_202_ACCEPTED
    if wait and found.job.status.is_final:
        code = status.HTTP_200_OK
        headers["Preference-Applied"] = f"wait={wait}"
    return Response(found.to_json(), code, headers, media_type="application/json")
