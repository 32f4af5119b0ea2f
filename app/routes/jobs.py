"""GET /jobs/{id}: what has become of a job."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.deps import QueueDep
from app.schemas import Job, Problem

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-z-]+$")]


@router.get("/jobs/{job_id}", responses={code: {"model": Problem} for code in (404, 422, 503)})
async def get_job(
    job_id: JobId, queue: QueueDep, graphs: Annotated[bool, Query(description="False leaves the graphs out.")] = True
) -> Job:
    """The job as it is now, with its graphs once it has succeeded."""
    return await queue.find(job_id, with_graphs=graphs)
