"""Jobs and graphs as responses: small ones whole, large ones in parts, as fast as the client reads them.

So a slow client of a large job holds a part of it in memory, not all.
"""

from collections.abc import AsyncIterator, Mapping

from fastapi import status
from fastapi.responses import Response, StreamingResponse
from redis.exceptions import RedisError

from app.http.errors import ResponseAborted
from app.jobs.queue import JobQueue
from app.jobs.reading import MAX_ANSWER_BYTES
from app.jobs.records import StoredJob

_JSON = "application/json"


def job_response(
    queue: JobQueue, found: StoredJob, code: int = status.HTTP_200_OK, headers: Mapping[str, str] | None = None
) -> Response:
    """A job with its graphs, if it has any that fit into one answer."""
    if not found.has_more:
        return Response(found.to_json(), code, headers, media_type=_JSON)
    return StreamingResponse(_job_parts(queue, found), code, headers, media_type=_JSON)


async def batches(queue: JobQueue, found: StoredJob, first: int, end: int) -> AsyncIterator[list[bytes]]:
    """The graphs of an ended job from one number to before another, in batches of about the same size.

    If they cannot be read to the end, the response is aborted, so that nobody takes a part for the whole.
    """
    while first < end:
        try:
            graphs = await queue.graphs(found.job.id, first, min(found.batch_size, end - first))
        except RedisError as error:
            raise ResponseAborted(f"redis is unavailable: {error}") from error
        if not graphs:
            raise ResponseAborted("the job has expired")
        first += len(graphs)
        yield graphs


async def page_parts(queue: JobQueue, found: StoredJob, cursor: int, limit: int) -> AsyncIterator[bytes]:
    """A page of graphs: as many as fit into one answer, but at least one; and the path of the next page."""
    end = min(cursor + limit, found.num_graphs)
    number, size, following = cursor, 0, "null"
    yield b'{"graphs":['
    async for graphs in batches(queue, found, cursor, end):
        kept: list[bytes] = []
        for graph in graphs:
            size += len(graph)
            if number > cursor and size > MAX_ANSWER_BYTES:
                break
            kept.append(graph)
            number += 1
        yield _joined(kept, is_first=number == cursor + len(kept))
        if len(kept) < len(graphs):
            break
    if number < found.num_graphs:
        following = f'"/jobs/{found.job.id}/graphs?cursor={number}&limit={limit}"'
    yield f'],"next":{following}}}'.encode()


async def _job_parts(queue: JobQueue, found: StoredJob) -> AsyncIterator[bytes]:
    is_first = True
    yield found.head() + b"["
    async for graphs in batches(queue, found, 0, found.num_graphs):
        yield _joined(graphs, is_first=is_first)
        is_first = False
    yield b"]}"


def _joined(graphs: list[bytes], *, is_first: bool) -> bytes:
    return (b"" if is_first or not graphs else b",") + b",".join(graphs)
