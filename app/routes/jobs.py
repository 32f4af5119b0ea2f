"""GET /jobs/{id}: what has become of a job."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.deps import QueueDep
from app.errors import problems
from app.schemas import Job

router = APIRouter(tags=["jobs"])


@router.get("/jobs/{job_id}", response_model=Job, responses=problems(404, 422, 503))
async def get_job(
    job_id: str, queue: QueueDep, graphs: Annotated[bool, Query(description="False leaves the graphs out.")] = True
) -> Response:
    """The job as it is now, with its graphs once it has succeeded."""
    found = await queue.find(job_id, with_graphs=graphs)
    return Response(found.to_json(), media_type="application/json")
