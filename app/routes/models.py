"""GET /models: the model cards, and the parts that a model may be given; for administrators, loading and unloading models."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status

from app.catalogue.validation import unknown_model_message
from app.http.errors import NotFound
from app.http.openapi import example, problems
from app.http.sharing.leaving import while_connected
from app.routes.deps import THREADS, AdminDep, CallerDep, CardsDep, ServedModelsDep
from app.schemas import Part, PartRequest
from models.card.card import ModelCard
from models.card.config import MODEL_NAME

router = APIRouter(tags=["models"])


class PngResponse(Response):
    """A picture."""

    media_type = "image/png"


NamePath = Annotated[
    str, Path(description="Name of a model.", json_schema_extra={"pattern": MODEL_NAME}, examples=["planar"])
]
_MoleculesPath = Annotated[
    str, Path(description="Name of a model.", json_schema_extra={"pattern": MODEL_NAME}, examples=["qm9"])
]


@router.get("/models", responses={200: example("models"), **problems(503)})
async def list_models(cards: CardsDep, _: CallerDep) -> list[ModelCard]:
    """The cards of all served models."""
    return list(cards.values())


@router.get("/models/{name}", responses={200: example("model"), **problems(404, 503)})
async def get_model(name: NamePath, cards: CardsDep, _: CallerDep) -> ModelCard:
    """The card of one model."""
    if name not in cards:
        raise NotFound(unknown_model_message(name, cards))
    return cards[name]


@router.get(
    "/models/{name}/plot",
    response_class=PngResponse,
    responses={200: example("plot", PngResponse.media_type), **problems(404, 409, 503)},
)
async def get_plot(name: NamePath, served_models: ServedModelsDep, cards: CardsDep, _: CallerDep) -> Response:
    """A picture of the model's graphs and of its quality by the number of steps, as PNG."""
    if name not in cards:
        raise NotFound(unknown_model_message(name, cards))
    picture = await served_models.plot(name)
    if picture is None:
        raise NotFound(f"there is no picture of {name}; make one with `digress plot {name} --save`")
    return PngResponse(picture)


@router.post("/models/{name}/parts", responses={200: example("part"), **problems(404, 415, 422, 503)})
async def choose_part(
    name: _MoleculesPath, body: PartRequest, cards: CardsDep, caller: CallerDep, request: Request
) -> Part:
    """Draw a molecule or graph, and write the part of it that is kept as `given` takes it."""
    if name not in cards:
        raise NotFound(unknown_model_message(name, cards))
    return await while_connected(request, THREADS.run(caller.name, _draw_part, body, cards[name]))


def _draw_part(body: PartRequest, card: ModelCard) -> Part:
    from app.pictures.parts import draw_part  # imports RDKit, which takes half a second

    return draw_part(body, card)


@router.post("/models/{name}/load", responses={200: example("model"), **problems(403, 404, 409, 503)})
async def load_model(name: NamePath, served_models: ServedModelsDep, _: AdminDep) -> ModelCard:
    """Serve a checkpoint of the folder: a new one, a changed one, or one that was unloaded. Workers follow within seconds."""
    return await served_models.load(name)


@router.post("/models/{name}/unload", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 404, 503))
async def unload_model(name: NamePath, served_models: ServedModelsDep, _: AdminDep) -> None:
    """Stop serving a model and free its memory: running jobs continue, waiting jobs fail."""
    await served_models.unload(name)
