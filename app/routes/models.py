"""GET /models: what can be generated, and how well."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.deps import CardsDep
from app.errors import NotFound, problems
from models.card import ModelCard

router = APIRouter(tags=["models"])


@router.get("/models")
async def list_models(cards: CardsDep) -> list[ModelCard]:
    """The cards of all models served here."""
    return list(cards.values())


@router.get("/models/{name}", responses=problems(404, 422))
async def get_model(name: Annotated[str, Path(max_length=64)], cards: CardsDep) -> ModelCard:
    """The card of one model."""
    if name not in cards:
        raise NotFound(f"there is no model {name!r}; there are {', '.join(cards) or 'none'}")
    return cards[name]
