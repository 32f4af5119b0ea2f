"""GET /health: whether the process runs, and whether the service is ready."""

from fastapi import APIRouter, Response, status
from redis.exceptions import RedisError

from app.http.openapi import example
from app.routes.deps import QueueDep
from app.schemas import Health

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", responses={200: example("alive")})
async def live() -> Health:
    """The process runs."""
    return Health(status="ok")


@router.get(
    "/ready",
    responses={
        200: example("ready"),
        503: {"model": Health, "description": "Redis or every worker is missing.", **example("no_worker")},
    },
)
async def ready(queue: QueueDep, response: Response) -> Health:
    """Redis answers and at least one worker is alive."""
    try:
        workers = await queue.num_workers()
    except RedisError:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return Health(status="unavailable", redis=False, workers=0)
    if workers == 0:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return Health(status="unavailable", redis=True, workers=0)
    return Health(status="ok", redis=True, workers=workers)
