"""GET /jobs/{id}/graphs and /graphs/{number}: a job's graphs in pages, as a stream, or one by one, in any format; and their trajectories."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.access.admission import Admit, while_admitted
from app.http.errors import NotFound, NotReady, ResponseAborted, Unauthorized
from app.http.sharing.leaving import while_connected
from app.jobs.queue import JobQueue
from app.jobs.records import StoredJob
from app.pictures.formats import Format, negotiate_format, require_available, serialize, serialize_all
from app.pictures.scene import Theme
from app.routes.answers.graph_formats import (
    MANY_GRAPHS,
    ONE_GRAPH,
    TRAJECTORY,
    AcceptHeader,
    GraphFormatQuery,
    GraphsFormatQuery,
    NumberPath,
    SizeQuery,
    ThemeQuery,
    TrajectoryFormatQuery,
    graph_responses,
)
from app.routes.answers.results import batches, page_parts
from app.routes.deps import THREADS, AdmitDep, CallerDep, CardsDep, QueueDep, VisibleJob
from app.schemas import MAX_GRAPHS, Graph, GraphPage, Trajectory
from models.card.card import ModelCard

if TYPE_CHECKING:
    from app.pictures.appearance import Vocabulary

router = APIRouter(tags=["graphs"])

_GRAPHS_PER_TURN = 16
# A picture that is opened as a document of its own contains styles.
_PICTURE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


@router.get(
    "/jobs/{job_id}/graphs",
    response_model=GraphPage,
    responses=graph_responses(*MANY_GRAPHS, model=GraphPage, json="graphs"),
)
async def list_graphs(
    job_id: VisibleJob,
    queue: QueueDep,
    caller: CallerDep,
    admit: AdmitDep,
    cursor: Annotated[
        int, Query(ge=0, le=MAX_GRAPHS, description="Number of the first graph of the page.", examples=[0])
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Graphs per page, at most.", examples=[100])] = 100,
    form: GraphsFormatQuery = None,
    accept: AcceptHeader = None,
) -> Response:
    """The graphs of an ended job: a page of them, or all in one stream as `ndjson`, `smiles`, `csv` or `sdf`.

    A page holds at most 8 MB; `next` is the path of the next one. `smiles` and `csv` leave out graphs that are not valid
    molecules.
    """
    chosen = negotiate_format(form, accept, MANY_GRAPHS)
    found = await _require_ended(queue, job_id)
    if chosen is Format.JSON:
        return StreamingResponse(page_parts(queue, found, cursor, limit), media_type=chosen.media_type)
    first = await queue.graphs(job_id, 0, 1)
    if first:
        require_available(Graph.model_validate_json(first[0]), chosen)
    graphs = batches(queue, found, 0, found.num_graphs)
    parts = _lines(graphs) if chosen is Format.NDJSON else _records(graphs, chosen, caller.name)
    return StreamingResponse(_admitted(parts, admit), media_type=chosen.media_type)


@router.get(
    "/jobs/{job_id}/graphs/{number}",
    response_model=Graph,
    responses=graph_responses(*ONE_GRAPH, model=Graph, json="graph"),
)
async def get_graph(
    job_id: VisibleJob,
    number: NumberPath,
    queue: QueueDep,
    cards: CardsDep,
    caller: CallerDep,
    request: Request,
    form: GraphFormatQuery = None,
    accept: AcceptHeader = None,
    size: SizeQuery = 480,
    theme: ThemeQuery = Theme.LIGHT,
) -> Response:
    """One graph of an ended job; `svg` and `png` are pictures, always the same for the same graph."""
    chosen = negotiate_format(form, accept, ONE_GRAPH)
    job = (await _require_ended(queue, job_id)).job
    found = await _graph(queue, job_id, number)
    match chosen:
        case Format.JSON:
            return Response(found, media_type=chosen.media_type)
        case Format.SVG | Format.PNG:
            drawing = THREADS.run(caller.name, _draw, found, chosen, size, theme, cards.get(job.model))
            drawn = await while_connected(request, drawing)
            return Response(drawn, media_type=chosen.media_type, headers=_PICTURE_HEADERS)
        case _:
            writing = THREADS.run(caller.name, _serialize_one, found, chosen)
            return Response(await while_connected(request, writing), media_type=chosen.media_type)


@router.get(
    "/jobs/{job_id}/graphs/{number}/trajectory",
    response_model=Trajectory,
    responses=graph_responses(*TRAJECTORY, model=Trajectory, json="trajectory", svg="film"),
)
async def get_trajectory(
    job_id: VisibleJob,
    number: NumberPath,
    queue: QueueDep,
    cards: CardsDep,
    caller: CallerDep,
    request: Request,
    form: TrajectoryFormatQuery = None,
    accept: AcceptHeader = None,
    size: SizeQuery = 480,
    theme: ThemeQuery = Theme.LIGHT,
) -> Response:
    """A graph's trajectory from noise, with as many frames as the request's `keep_frames`; `svg` is an animation."""
    chosen = negotiate_format(form, accept, TRAJECTORY)
    job = (await _require_ended(queue, job_id)).job
    found = await queue.trajectory(job_id, number)
    if found is None:
        raise NotFound(f"there are no frames of a graph {number}; set keep_frames in the request of the job")
    if chosen is Format.JSON:
        return Response(found, media_type=chosen.media_type)
    graph = await _graph(queue, job_id, number)
    drawing = THREADS.run(caller.name, _draw_animation, graph, found, size, theme, cards.get(job.model))
    drawn = await while_connected(request, drawing)
    return Response(drawn, media_type=chosen.media_type, headers=_PICTURE_HEADERS)


async def _require_ended(queue: JobQueue, job_id: str) -> StoredJob:
    found = await queue.find(job_id, with_graphs=False)
    if not found.job.status.is_final:
        raise NotReady(f"the job is {found.job.status}; its graphs are available once it has ended")
    return found


async def _graph(queue: JobQueue, job_id: str, number: int) -> bytes:
    found = await queue.graphs(job_id, number, 1)
    if not found:
        raise NotFound(f"the job has no graph {number}; graphs are numbered from 0")
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


async def _lines(parts: AsyncIterator[list[bytes]]) -> AsyncGenerator[bytes, None]:
    async for graphs in parts:
        yield b"\n".join(graphs) + b"\n"


async def _records(parts: AsyncIterator[list[bytes]], form: Format, owner: str) -> AsyncGenerator[str, None]:
    """All graphs in a text format, a few in each turn."""
    has_head = True
    async for graphs in parts:
        for start in range(0, len(graphs), _GRAPHS_PER_TURN):
            some = graphs[start : start + _GRAPHS_PER_TURN]
            text = await THREADS.run(owner, _serialize_all, some, form, has_head=has_head)
            has_head = has_head and text == ""
            yield text


async def _admitted(parts: AsyncGenerator[bytes | str, None], admit: Admit) -> AsyncIterator[bytes | str]:
    """The parts of an answer, which is aborted if the caller's key is revoked."""
    try:
        async for part in while_admitted(parts, admit):
            yield part
    except Unauthorized as error:
        raise ResponseAborted("the key is revoked") from error


def _serialize_one(graph: bytes, form: Format) -> str:
    return serialize(Graph.model_validate_json(graph), form)


def _serialize_all(graphs: list[bytes], form: Format, *, has_head: bool) -> str:
    return serialize_all(map(Graph.model_validate_json, graphs), form, has_head=has_head)
