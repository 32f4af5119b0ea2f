"""GET /models: what can be generated, and how well; for administrators, what is served."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status

from app.catalogue.validation import no_model
from app.http.errors import NotFound
from app.http.openapi import example, problems
from app.routes.deps import AdminDep, CallerDep, CardsDep, ServedModelsDep
from models.card.card import ModelCard
from models.card.config import MODEL_NAME

router = APIRouter(tags=["models"])


class PngResponse(Response):
    """A picture."""

    media_type = "image/png"


NamePath = Annotated[
    str, Path(description="Of a model.", json_schema_extra={"pattern": MODEL_NAME}, examples=["planar"])
]


@router.get("/models", responses={200: example("models"), **problems(503)})
async def list_models(cards: CardsDep, _: CallerDep) -> list[ModelCard]:
    """The cards of all models served here."""
    return list(cards.values())


@router.get("/models/{name}", responses={200: example("model"), **problems(404, 503)})
async def get_model(name: NamePath, cards: CardsDep, _: CallerDep) -> ModelCard:
    """The card of one model."""
    if name not in cards:
        raise NotFound(no_model(name, cards))
    return cards[name]


@router.get(
    "/models/{name}/plot",
    response_class=PngResponse,
    responses={200: example("plot", PngResponse.media_type), **problems(404, 503)},
)
async def get_plot(name: NamePath, served_models: ServedModelsDep, cards: CardsDep, _: CallerDep) -> Response:
    """A picture of the model's graphs, and of its quality by the number of steps: PNG."""
    if name not in cards:
        raise NotFound(no_model(name, cards))
    picture = await served_models.plot(name)
    if picture is None:
        raise NotFound(f"there is no picture of {name}; `digress plot {name} --save` makes one")
    return PngResponse(picture)


@router.post("/models/{name}/load", responses={200: example("model"), **problems(403, 404, 409, 503)})
async def load_model(name: NamePath, served_models: ServedModelsDep, _: AdminDep) -> ModelCard:
    """Serve a checkpoint of the folder: one that is new there, has changed, or was unloaded. Workers follow within seconds."""
    return await served_models.load(name)


@router.post("/models/{name}/unload", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 404, 503))
async def unload_model(name: NamePath, served_models: ServedModelsDep, _: AdminDep) -> None:
    """Serve a model no longer, and free its memory: jobs that compute go on, those that wait for it fail."""
    await served_models.unload(name)
