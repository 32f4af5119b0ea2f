"""The formats of graphs over HTTP: the parameters that select one, and what OpenAPI says about the responses."""

from typing import Annotated, Any

from fastapi import Header, Path, Query

from app.http.openapi import example, problems
from app.pictures.formats import Format
from app.pictures.scene import Theme
from app.schemas import MAX_GRAPHS

ONE_GRAPH = (Format.JSON, Format.GRAPHML, Format.SMILES, Format.SDF, Format.SVG, Format.PNG)
MANY_GRAPHS = (Format.JSON, Format.NDJSON, Format.SMILES, Format.CSV, Format.SDF)
TRAJECTORY = (Format.JSON, Format.SVG)


def _format_query(forms: tuple[Format, ...]) -> Any:
    return Query(
        alias="format",
        description="The format; overrides the header Accept.",
        json_schema_extra={"enum": [form.value for form in forms]},
        examples=[forms[0].value],
    )


GraphFormatQuery = Annotated[Format | None, _format_query(ONE_GRAPH)]
GraphsFormatQuery = Annotated[Format | None, _format_query(MANY_GRAPHS)]
TrajectoryFormatQuery = Annotated[Format | None, _format_query(TRAJECTORY)]
SizeQuery = Annotated[
    int, Query(ge=64, le=2_048, description="Width and height of a picture, in pixels.", examples=[480])
]
ThemeQuery = Annotated[Theme, Query(description="Background that a picture is made for.", examples=["light"])]
# OpenAPI describes it by the media types of the responses.
AcceptHeader = Annotated[str | None, Header(include_in_schema=False)]
NumberPath = Annotated[
    int, Path(ge=0, le=MAX_GRAPHS, description="Number of the graph in the job, from 0.", examples=[0])
]


def graph_responses(*forms: Format, model: type, **examples: str) -> dict[int | str, dict[str, Any]]:
    """What a route says in OpenAPI about its responses: each format has the example of its name, or the one given for it."""
    content: dict[str, Any] = {}
    for form in forms:
        content |= example(examples.get(form, form), form.media_type)["content"]
    return {200: {"model": model, "content": content}, **problems(404, 406, 409, 422, 503)}
