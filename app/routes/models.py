"""GET /models: what can be generated, and how well; for administrators, what is served."""

from fastapi import APIRouter, status

from app.completion import no_model
from app.deps import AdminDep, CallerDep, CardsDep, ShelfDep
from app.errors import NotFound, problems
from models.card import ModelCard

router = APIRouter(tags=["models"])


@router.get("/models", responses=problems())
async def list_models(cards: CardsDep, _: CallerDep) -> list[ModelCard]:
    """The cards of all models served here."""
    return list(cards.values())


@router.get("/models/{name}", responses=problems(404))
async def get_model(name: str, cards: CardsDep, _: CallerDep) -> ModelCard:
    """The card of one model."""
    if name not in cards:
        raise NotFound(no_model(name, cards))
    return cards[name]


@router.post("/models/{name}/load", responses=problems(403, 404, 409, 503))
async def load_model(name: str, shelf: ShelfDep, _: AdminDep) -> ModelCard:
    """Serve a checkpoint of the folder: one that is new there, has changed, or was unloaded. Workers follow within seconds."""
    return await shelf.load(name)


@router.post("/models/{name}/unload", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 404, 503))
async def unload_model(name: str, shelf: ShelfDep, _: AdminDep) -> None:
    """Serve a model no longer, and free its memory: jobs that compute go on, those that wait for it fail."""
    await shelf.unload(name)
