"""GET /models: what can be generated, and how well."""

from fastapi import APIRouter

from app.completion import no_model
from app.deps import CallerDep, CardsDep
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
