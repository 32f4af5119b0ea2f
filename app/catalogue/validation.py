"""A request compared with the card of its model: is it possible, and what does it leave to the defaults?"""

import secrets
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from difflib import get_close_matches

from app.catalogue.filters import check_filter
from app.http.errors import InvalidRequest, shorten
from app.pictures.given import possible_sizes
from app.schemas import (
    MAX_FRAMES,
    MAX_SEED,
    AnyCompletedRequest,
    CompletedConditionalRequest,
    CompletedRequest,
    ConditionalRequest,
    GenerateRequest,
    SizeRange,
)
from models.card.card import ModelCard
from models.card.cost import graph_cost, largest_graph_cost, size_weights


def find_card(name: str, cards: Mapping[str, ModelCard]) -> ModelCard:
    """The card a request names.

    Raises:
        InvalidRequest: if there is no such model.
    """
    if name not in cards:
        raise InvalidRequest("model", unknown_model_message(name, cards))
    return cards[name]


def unknown_model_message(name: str, cards: Mapping[str, ModelCard]) -> str:
    """The message about a model that is not served."""
    alike = get_close_matches(name[:64], cards, n=1)
    meant = f"did you mean {alike[0]!r}? " if alike else ""
    return f"there is no model {shorten(name)!r}; {meant}available: {', '.join(cards)}"


def complete(request: GenerateRequest, card: ModelCard) -> AnyCompletedRequest:
    """The request with the card's defaults, and a random seed, where it says null.

    Raises:
        InvalidRequest: if it asks for more than the model can do.
    """
    request = _with_sizes(request, card)
    num_steps = card.sampling.num_steps if request.num_steps is None else request.num_steps
    _check_amounts(request, card, num_steps=num_steps)
    _check_graphs(request, card)
    check_filter(request, card)
    chosen = {
        "seed": secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed,
        "sampler": request.sampler or card.sampling.sampler,
        "num_steps": num_steps,
    }
    if not isinstance(request, ConditionalRequest):
        return CompletedRequest.model_validate(request.model_dump() | chosen)
    _check_targets(request, card)
    estimator = request.estimator or card.guidance.estimator
    scale = card.guidance.scales[estimator] if request.guidance_scale is None else request.guidance_scale
    return CompletedConditionalRequest.model_validate(
        request.model_dump() | chosen | {"estimator": estimator, "guidance_scale": float(scale)}
    )


def _with_sizes(request: GenerateRequest, card: ModelCard) -> GenerateRequest:
    """The request with the sizes that graphs may have around what is given, after a look whether there can be such graphs."""
    if request.given is None and request.near is None:
        return request
    possible = possible_sizes(request, card)
    if request.num_nodes is None:
        chosen = possible[0] if len(possible) == 1 else SizeRange(min=possible[0], max=possible[-1])
        return request.model_copy(update={"num_nodes": chosen})
    wanted = request.size_range(card.max_nodes)
    smallest = possible[0] - (len(possible) > 1)  # the part alone, if that is wanted
    if wanted[0] < smallest or wanted[-1] > possible[-1]:
        sizes = str(smallest) if len(possible) == 1 else f"{smallest} to {possible[-1]}"
        raise InvalidRequest(
            "num_nodes", f"with what is given, graphs have {sizes} nodes; leave num_nodes out, or ask for these"
        )
    return request


def check_memory(request: AnyCompletedRequest, card: ModelCard, capacity: int | None) -> None:
    """Compare the request's largest graph with what the workers can hold in one step (`models.card.cost`), if that is known.

    Raises:
        InvalidRequest: if such a graph can never fit into any worker's memory.
    """
    sizes, estimator = request.size_range(card.max_nodes), request.estimator
    if capacity is None or largest_graph_cost(card, sizes, estimator) <= capacity:
        return
    largest = max(size_weights(card, sizes))
    fitting = [size for size in range(1, largest) if graph_cost(card, size, estimator) <= capacity]
    steered = f" steered by {estimator}" if estimator else ""
    instead = f"ask for at most {fitting[-1]}" if fitting else "nor do smaller ones"
    raise InvalidRequest(
        "num_nodes", f"graphs of {largest} nodes{steered} do not fit into any worker's memory; {instead}"
    )


def _check_amounts(request: GenerateRequest, card: ModelCard, *, num_steps: int) -> None:
    """How many graphs, in how many steps."""
    limit = card.sampling.max_graphs
    if request.num_graphs > limit:
        raise InvalidRequest("num_graphs", f"{card.name} gives at most {limit} at once, not {request.num_graphs}")
    if num_steps > card.diffusion.num_timesteps:
        raise InvalidRequest(
            "num_steps",
            f"{card.name} has {card.diffusion.num_timesteps} timesteps, so at most as many steps, not {num_steps}",
        )


def _check_graphs(request: GenerateRequest, card: ModelCard) -> None:
    """How large the graphs are, and how many frames are kept of them."""
    largest = request.size_range(card.max_nodes)[-1]
    if not card.min_nodes <= largest <= card.max_nodes:
        sizes = str(card.max_nodes) if card.min_nodes == card.max_nodes else f"{card.min_nodes} to {card.max_nodes}"
        raise InvalidRequest(
            "num_nodes", f"{card.name} was trained on graphs of {sizes} nodes, so it cannot give {largest}"
        )
    if request.keep_frames * request.num_graphs > MAX_FRAMES:
        raise InvalidRequest(
            "keep_frames",
            f"a job keeps at most {MAX_FRAMES} frames, not {request.num_graphs} times {request.keep_frames}",
        )


def _check_targets(request: ConditionalRequest, card: ModelCard) -> None:
    """Which properties, which values, and how many candidates."""
    known = card.properties
    if not known:
        raise InvalidRequest("targets", f"{card.name} has no regressor, so it cannot be steered; ask for /generate")
    for name, value in request.targets.items():
        if name not in known:
            raise InvalidRequest("targets", f"{card.name} has no property {shorten(name)!r}; it has {', '.join(known)}")
        lowest, highest, unit = known[name].min, known[name].max, known[name].unit
        if not lowest <= value <= highest:
            raise InvalidRequest(
                f"targets.{name}",
                f"{card.name} was trained on {name} from {_round_into_range(lowest, up=True)} to {_round_into_range(highest, up=False)} {unit}".rstrip()
                + f", so it cannot aim at {value:g}",
            )
    limits = card.guidance
    if request.guidance_scale is not None and request.guidance_scale > limits.max_scale:
        raise InvalidRequest("guidance_scale", f"at most {limits.max_scale:g}, not {request.guidance_scale:g}")
    if request.candidates > limits.max_candidates:
        raise InvalidRequest("candidates", f"at most {limits.max_candidates}, not {request.candidates}")
    if request.num_graphs * request.candidates > card.sampling.max_graphs:
        raise InvalidRequest(
            "candidates",
            f"{card.name} draws at most {card.sampling.max_graphs} graphs at once, "
            f"not {request.num_graphs} times {request.candidates}",
        )


def _round_into_range(bound: float, *, up: bool) -> str:
    """A bound in few digits that is itself within the range."""
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return f"{Decimal(bound).quantize(Decimal('0.001'), rounding).normalize():f}"
