"""GET /jobs/{id}/graphs and /graphs/{number}: a job's graphs in pages, as a stream, or one by one, in the form that the caller wants; and their ways from noise."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.http.errors import NotFound, NotReady, ResponseAborted
from app.http.openapi import example, problems
from app.jobs.queue import JobQueue
from app.jobs.reading import MAX_ANSWER_BYTES
from app.pictures.formats import Format, negotiate_format, require_available, serialize
from app.pictures.scene import Theme
from app.routes.deps import CardsDep, QueueDep, VisibleJob
from app.schemas import MAX_GRAPHS, Graph, GraphPage, Job, Trajectory
from models.card.card import ModelCard

if TYPE_CHECKING:
    from app.pictures.appearance import Vocabulary

router = APIRouter(tags=["graphs"])

_AT_ONCE = 256
# Drawing takes a processor, and others want to be answered meanwhile.
_drawing = CapacityLimiter(2)
_FORMATS_OF_ONE = (Format.JSON, Format.GRAPHML, Format.SMILES, Format.SDF, Format.SVG, Format.PNG)
_FORMATS_OF_MANY = (Format.JSON, Format.NDJSON, Format.SMILES, Format.SDF)
_FORMATS_OF_TRAJECTORY = (Format.JSON, Format.SVG)
# A picture that is opened by itself, and not within a page, has styles of its own.
_PICTURE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def _format_query(forms: tuple[Format, ...]) -> Any:
    return Query(
        alias="format",
        description="The form; instead of the header Accept.",
        json_schema_extra={"enum": [form.value for form in forms]},
        examples=[forms[0].value],
    )


FormatOfOne = Annotated[Format | None, _format_query(_FORMATS_OF_ONE)]
FormatOfMany = Annotated[Format | None, _format_query(_FORMATS_OF_MANY)]
FormatOfTrajectory = Annotated[Format | None, _format_query(_FORMATS_OF_TRAJECTORY)]
SizeQuery = Annotated[
    int, Query(ge=64, le=2_048, description="Of a picture: its width and height in pixels.", examples=[480])
]
ThemeQuery = Annotated[Theme, Query(description="Of a picture: what it is looked at on.", examples=["light"])]
# OpenAPI has a place of its own for this: the media types of the answers.
AcceptHeader = Annotated[str | None, Header(include_in_schema=False)]
NumberPath = Annotated[
    int, Path(ge=0, le=MAX_GRAPHS, description="Which of the job's graphs; the first is 0.", examples=[0])
]


def _answers(*forms: Format, model: type, **examples: str) -> dict[int | str, dict[str, Any]]:
    """What a route says of its answers; each form has the example of its own name, or the one given for it."""
    content: dict[str, Any] = {}
    for form in forms:
        content |= example(examples.get(form, form), form.media_type)["content"]
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
    chosen = negotiate_format(form, accept, _FORMATS_OF_MANY)
    await _require_ended(queue, job_id)
    if chosen is not Format.JSON:
        first = await queue.graphs(job_id, 0, 1)
        if first:
            require_available(Graph.model_validate_json(first[0]), chosen)
        num_graphs = await queue.num_graphs(job_id)
        return StreamingResponse(_stream(queue, job_id, chosen, num_graphs), media_type=chosen.media_type)
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
    cards: CardsDep,
    form: FormatOfOne = None,
    accept: AcceptHeader = None,
    size: SizeQuery = 480,
    theme: ThemeQuery = Theme.LIGHT,
) -> Response:
    """One graph of a job that has ended; as `svg` or `png` it is a picture, the same for the same graph."""
    chosen = negotiate_format(form, accept, _FORMATS_OF_ONE)
    job = await _require_ended(queue, job_id)
    found = await _graph(queue, job_id, number)
    match chosen:
        case Format.JSON:
            return Response(found, media_type=chosen.media_type)
        case Format.SVG | Format.PNG:
            drawn = await to_thread.run_sync(_draw, found, chosen, size, theme, cards.get(job.model), limiter=_drawing)
            return Response(drawn, media_type=chosen.media_type, headers=_PICTURE_HEADERS)
        case _:
            return Response(await run_in_threadpool(_serialize_one, found, chosen), media_type=chosen.media_type)


@router.get(
    "/jobs/{job_id}/graphs/{number}/trajectory",
    response_model=Trajectory,
    responses=_answers(*_FORMATS_OF_TRAJECTORY, model=Trajectory, json="trajectory", svg="film"),
)
async def get_trajectory(
    job_id: VisibleJob,
    number: NumberPath,
    queue: QueueDep,
    cards: CardsDep,
    form: FormatOfTrajectory = None,
    accept: AcceptHeader = None,
    size: SizeQuery = 480,
    theme: ThemeQuery = Theme.LIGHT,
) -> Response:
    """A graph's way from noise, as many frames as the request's `keep_frames`; as `svg` it is a film that plays by itself."""
    chosen = negotiate_format(form, accept, _FORMATS_OF_TRAJECTORY)
    job = await _require_ended(queue, job_id)
    found = await queue.trajectory(job_id, number)
    if found is None:
        raise NotFound(f"there are no frames of a graph {number}; ask for them by keep_frames when you ask for the job")
    if chosen is Format.JSON:
        return Response(found, media_type=chosen.media_type)
    graph = await _graph(queue, job_id, number)
    drawn = await to_thread.run_sync(_draw_animation, graph, found, size, theme, cards.get(job.model), limiter=_drawing)
    return Response(drawn, media_type=chosen.media_type, headers=_PICTURE_HEADERS)


async def _require_ended(queue: JobQueue, job_id: str) -> Job:
    job = (await queue.find(job_id, with_graphs=False)).job
    if not job.status.is_final:
        raise NotReady(f"the job is {job.status}; its graphs are here once it has ended")
    return job


async def _graph(queue: JobQueue, job_id: str, number: int) -> bytes:
    found = await queue.graphs(job_id, number, 1)
    if not found:
        raise NotFound(f"the job has no graph {number}; they are counted from 0")
    return found[0]


def _draw(graph: bytes, form: Format, size: int, theme: Theme, card: ModelCard | None) -> bytes:
    from app.pictures.rendering import render_picture  # imports RDKit, which takes half a second

    kind: Literal["svg", "png"] = "svg" if form is Format.SVG else "png"
    return render_picture(Graph.model_validate_json(graph), kind, size=size, theme=theme, vocabulary=_vocabulary(card))


def _draw_animation(graph: bytes, trajectory: bytes, size: int, theme: Theme, card: ModelCard | None) -> bytes:
    from app.pictures.rendering import render_animation

    frames = Trajectory.model_validate_json(trajectory)
    return render_animation(
        Graph.model_validate_json(graph), frames, size=size, theme=theme, vocabulary=_vocabulary(card)
    )


def _vocabulary(card: ModelCard | None) -> "Vocabulary":
    from app.pictures.appearance import EMPTY_VOCABULARY, Vocabulary

    return Vocabulary(card.node_types, card.edge_types[1:]) if card else EMPTY_VOCABULARY


async def _stream(queue: JobQueue, job_id: str, form: Format, num_graphs: int) -> AsyncIterator[bytes | str]:
    """All graphs; what cannot be had to its end is cut off, so that nobody takes a part for the whole."""
    number = 0
    while number < num_graphs:
        try:
            found = await queue.graphs(job_id, number, _AT_ONCE)
        except RedisError as error:
            raise ResponseAborted(f"redis is unavailable: {error}") from error
        if not found:
            raise ResponseAborted("the job has expired meanwhile")
        number += len(found)
        if form is Format.NDJSON:
            yield b"\n".join(found) + b"\n"
        else:
            yield await run_in_threadpool(_serialize_all, found, form)


def _serialize_one(graph: bytes, form: Format) -> str:
    return serialize(Graph.model_validate_json(graph), form)


def _serialize_all(graphs: list[bytes], form: Format) -> str:
    parsed = (Graph.model_validate_json(graph) for graph in graphs)
    return "".join(serialize(graph, form) for graph in parsed if form is not Format.SMILES or graph.graph.get("smiles"))


def _at_most(graphs: list[bytes], limit: int) -> list[bytes]:
    """The first of them, as many as fit into one answer, but one at least."""
    size, kept = 0, list[bytes]()
    for graph in graphs[:limit]:
        size += len(graph)
        if kept and size > MAX_ANSWER_BYTES:
            break
        kept.append(graph)
    return kept
