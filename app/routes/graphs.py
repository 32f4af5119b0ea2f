"""GET /jobs/{id}/graphs and /graphs/{number}: a job's graphs in pages, as a stream, or one by one, in the form that the caller wants."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from app.deps import QueueDep, VisibleJob
from app.errors import NotFound, NotReady, problems
from app.formats import Format, choose, require_form, write
from app.openapi import example
from app.queue import LONGEST_ANSWER_BYTES, JobQueue
from app.schemas import MAX_GRAPHS, Graph, GraphPage, Trajectory

router = APIRouter(tags=["graphs"])

_AT_ONCE = 256
_FORMATS_OF_ONE = (Format.JSON, Format.GRAPHML, Format.SMILES, Format.SDF)
_FORMATS_OF_MANY = (Format.JSON, Format.NDJSON, Format.SMILES, Format.SDF)


def _format_query(forms: tuple[Format, ...]) -> Any:
    return Query(
        alias="format",
        description="The form; instead of the header Accept.",
        json_schema_extra={"enum": [form.value for form in forms]},
        examples=[forms[0].value],
    )


FormatOfOne = Annotated[Format | None, _format_query(_FORMATS_OF_ONE)]
FormatOfMany = Annotated[Format | None, _format_query(_FORMATS_OF_MANY)]
# OpenAPI has a place of its own for this: the media types of the answers.
AcceptHeader = Annotated[str | None, Header(include_in_schema=False)]
NumberPath = Annotated[
    int, Path(ge=0, le=MAX_GRAPHS, description="Which of the job's graphs; the first is 0.", examples=[0])
]


def _answers(*forms: Format, model: type, json: str) -> dict[int | str, dict[str, Any]]:
    content = example(json)["content"]
    for form in forms:
        if form is not Format.JSON:
            content |= example(form, form.media_type)["content"]
    return {200: {"model": model, "content": content}, **problems(404, 406, 409, 422, 503)}


@router.get(
    "/jobs/{job_id}/graphs",
    response_model=GraphPage,
    responses=_answers(*_FORMATS_OF_MANY, model=GraphPage, json="graphs"),
)
async def list_graphs(
    job_id: VisibleJob,
    queue: QueueDep,
    cursor: Annotated[
        int, Query(ge=0, le=MAX_GRAPHS, description="The number of the first graph of the page.", examples=[0])
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Graphs in a page at the most.", examples=[100])] = 100,
    form: FormatOfMany = None,
    accept: AcceptHeader = None,
) -> Response:
    """The graphs of a job that has ended: a page of them, or all in one stream as `ndjson`, `smiles` or `sdf`.

    A page holds 8 MB at the most; `next` says where the following one is. Graphs that are no valid molecules are left
    out of `smiles`.
    """
    chosen = choose(form, accept, _FORMATS_OF_MANY)
    await _require_ended(queue, job_id)
    if chosen is not Format.JSON:
        first = await queue.graphs(job_id, 0, 1)
        if first:
            require_form(Graph.model_validate_json(first[0]), chosen)
        return StreamingResponse(_stream(queue, job_id, chosen), media_type=chosen.media_type)
    graphs = _at_most(await queue.graphs(job_id, cursor, limit + 1), limit)
    more = await queue.graphs(job_id, cursor + len(graphs), 1)
    following = f'"/jobs/{job_id}/graphs?cursor={cursor + len(graphs)}&limit={limit}"' if more else "null"
    body = b'{"graphs":[' + b",".join(graphs) + b'],"next":' + following.encode() + b"}"
    return Response(body, media_type=chosen.media_type)


@router.get(
    "/jobs/{job_id}/graphs/{number}",
    response_model=Graph,
    responses=_answers(*_FORMATS_OF_ONE, model=Graph, json="graph"),
)
async def get_graph(
    job_id: VisibleJob,
    number: NumberPath,
    queue: QueueDep,
    form: FormatOfOne = None,
    accept: AcceptHeader = None,
) -> Response:
    """One graph of a job that has ended."""
    chosen = choose(form, accept, _FORMATS_OF_ONE)
    await _require_ended(queue, job_id)
    found = await queue.graphs(job_id, number, 1)
    if not found:
        raise NotFound(f"the job has no graph {number}; they are counted from 0")
    text = found[0] if chosen is Format.JSON else await run_in_threadpool(_rewrite, found[0], chosen)
    return Response(text, media_type=chosen.media_type)


@router.get(
    "/jobs/{job_id}/graphs/{number}/trajectory",
    response_model=Trajectory,
    responses={200: example("trajectory"), **problems(404, 409, 422, 503)},
)
async def get_trajectory(
    job_id: VisibleJob,
    number: NumberPath,
    queue: QueueDep,
) -> Response:
    """A graph's way from noise, as many frames as the request's `keep_frames`."""
    await _require_ended(queue, job_id)
    found = await queue.trajectory(job_id, number)
    if found is None:
        raise NotFound(f"there are no frames of a graph {number}; ask for them by keep_frames when you ask for the job")
    return Response(found, media_type="application/json")


async def _require_ended(queue: JobQueue, job_id: str) -> None:
    job = (await queue.find(job_id, with_graphs=False)).job
    if not job.status.is_final:
        raise NotReady(f"the job is {job.status}; its graphs are here once it has ended")


async def _stream(queue: JobQueue, job_id: str, form: Format) -> AsyncIterator[bytes | str]:
    number = 0
    while found := await queue.graphs(job_id, number, _AT_ONCE):
        number += len(found)
        if form is Format.NDJSON:
            yield b"\n".join(found) + b"\n"
        else:
            yield await run_in_threadpool(_rewrite_all, found, form)


def _rewrite(graph: bytes, form: Format) -> str:
    return write(Graph.model_validate_json(graph), form)


def _rewrite_all(graphs: list[bytes], form: Format) -> str:
    parsed = (Graph.model_validate_json(graph) for graph in graphs)
    return "".join(write(graph, form) for graph in parsed if form is not Format.SMILES or graph.graph.get("smiles"))


def _at_most(graphs: list[bytes], limit: int) -> list[bytes]:
    """The first of them, as many as fit into one answer, but one at least."""
    size, kept = 0, list[bytes]()
    for graph in graphs[:limit]:
        size += len(graph)
        if kept and size > LONGEST_ANSWER_BYTES:
            break
        kept.append(graph)
    return kept
