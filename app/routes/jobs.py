"""GET /jobs, GET and DELETE /jobs/{id}: list jobs, read one, cancel one."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from starlette.concurrency import run_in_threadpool

from app.http.examples import JOB_ID
from app.http.openapi import example, problems
from app.routes.answers.results import job_response
from app.routes.deps import CallerDep, QueueDep, VisibleJob
from app.schemas import Job, JobPage

router = APIRouter(tags=["jobs"])


@router.get("/jobs", responses={200: example("jobs"), **problems(422, 503)})
async def list_jobs(
    queue: QueueDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200, description="Jobs per page, at most.", examples=[50])] = 50,
    cursor: Annotated[
        str | None,
        Query(
            pattern="^[0-9a-f]{32}$", description="From `next`: the last job of the previous page.", examples=[JOB_ID]
        ),
    ] = None,
) -> JobPage:
    """The jobs of the caller's key, newest first, without their graphs; an admin key lists all jobs."""
    jobs, last = await queue.page(owner=caller.owner, before=cursor, count=limit)
    return JobPage(jobs=jobs, next=f"/jobs?cursor={last}&limit={limit}" if last else None)


@router.get("/jobs/{job_id}", response_model=Job, responses={200: example("succeeded"), **problems(404, 422, 503)})
async def get_job(
    job_id: VisibleJob,
    queue: QueueDep,
    graphs: Annotated[bool, Query(description="False leaves out the graphs.", examples=[True])] = True,
) -> Response:
    """The present state of a job, with its graphs once it has ended."""
    found = await queue.find(job_id, with_graphs=graphs)
    return job_response(queue, found)


@router.delete(
    "/jobs/{job_id}",
    response_model=Job,
    responses={
        200: {"description": "It has ended.", **example("canceled")},
        202: {
            "model": Job,
            "description": "It is still running, and stops within a step or two.",
            **example("running"),
        },
        **problems(404, 503),
    },
)
async def cancel_job(job_id: VisibleJob, queue: QueueDep) -> Response:
    """Cancel a job. It keeps its finished graphs; an ended job does not change."""
    await run_in_threadpool(queue.cancel, job_id)
    found = await queue.find(job_id)
    code = status.HTTP_200_OK if found.job.status.is_final else status.HTTP_202_ACCEPTED
    return job_response(queue, found, code)
