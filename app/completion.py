"""A request held against the card of its model: is it possible, and what does it leave to the defaults?"""

import secrets
from collections.abc import Mapping

from app.errors import InvalidRequest, shorten
from app.schemas import MAX_SEED, CompletedRequest, GenerateRequest, SizeRange
from models.card import ModelCard


def find_card(name: str, cards: Mapping[str, ModelCard]) -> ModelCard:
    """The card a request names.

    Raises:
        InvalidRequest: if there is no such model.
    """
    if name not in cards:
        raise InvalidRequest("model", no_model(name, cards))
    return cards[name]


def no_model(name: str, cards: Mapping[str, ModelCard]) -> str:
    """What to say of a model that is not served."""
    return f"there is no model {shorten(name)!r}; available: {', '.join(cards)}"


def complete(request: GenerateRequest, card: ModelCard) -> CompletedRequest:
    """The request with the card's defaults, and a random seed, where it says null.

    Raises:
        InvalidRequest: if it asks for more than the model can do.
    """
    num_steps = card.sampling.num_steps if request.num_steps is None else request.num_steps
    if request.num_graphs > card.sampling.max_graphs:
        raise InvalidRequest(
            "num_graphs", f"{card.name} gives at most {card.sampling.max_graphs} at once, not {request.num_graphs}"
        )
    if num_steps > card.diffusion.num_timesteps:
        raise InvalidRequest(
            "num_steps",
            f"{card.name} has {card.diffusion.num_timesteps} timesteps, so at most as many steps, not {num_steps}",
        )
    most = request.num_nodes.max if isinstance(request.num_nodes, SizeRange) else request.num_nodes
    if most is not None and most > card.max_nodes:
        raise InvalidRequest(
            "num_nodes", f"{card.name} was trained on graphs of 1 to {card.max_nodes} nodes, so it cannot give {most}"
        )
    return CompletedRequest(
        model=card.name,
        num_graphs=request.num_graphs,
        num_nodes=request.num_nodes,
        seed=secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed,
        sampler=request.sampler or card.sampling.sampler,
        num_steps=num_steps,
    )
