"""POST /generate: ask for new graphs."""

from typing import Any

from fastapi import APIRouter, Response, status
from starlette.concurrency import run_in_threadpool

from app.completion import complete, find_card
from app.deps import CardsDep, PointlessDep, QueueDep
from app.errors import problems
from app.preferences import WaitDep
from app.schemas import GenerateRequest, Job

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
    request = complete(body, find_card(body.model, cards))
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
