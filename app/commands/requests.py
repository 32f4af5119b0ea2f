"""A request, as the options of a command tell it."""

from enum import StrEnum
from typing import Any

from app.commands.complaints import CommandError
from app.commands.environment import cards
from app.completion import complete, find_card
from app.schemas import AnyCompletedRequest, ConditionalRequest, GenerateRequest


class Wish(StrEnum):
    """What `digress sample --filter` takes: the fields of a request's `filter`."""

    VALID = "valid"
    UNIQUE = "unique"
    CONNECTED = "connected"


def complete_request(model: str, **fields: Any) -> AnyCompletedRequest:
    """A request for `model` with every default filled in; conditional if there are targets."""
    kind = ConditionalRequest if fields.get("targets") else GenerateRequest
    given = {name: value for name, value in fields.items() if value is not None}
    return complete(kind.model_validate({"model": model, **given}), find_card(model, cards()))


def targets_of(texts: list[str] | None) -> dict[str, float]:
    """Property -> value, of what --target was given.

    Raises:
        CommandError: if it was given otherwise.
    """
    targets = {}
    for text in texts or []:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in targets:
            raise CommandError(f"--target gives {name} twice; a graph can have only one")
        try:
            targets[name] = float(value)
        except ValueError:
            raise CommandError(f"--target takes property=value, like mu=2.5, not {text!r}") from None
    return targets


def sizes_of(text: str) -> int | dict[str, int]:
    """The request's `num_nodes`, of what --num-nodes was given.

    Raises:
        CommandError: if it was given otherwise.
    """
    low, dash, high = text.partition("-")
    if not low.isdecimal() or (dash and not high.isdecimal()):
        raise CommandError(f"--num-nodes takes a number, like 9, or a range, like 5-9, not {text!r}")
    return {"min": int(low), "max": int(high)} if dash else int(low)
