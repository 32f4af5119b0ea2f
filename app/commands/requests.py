"""A request, as the options of a command tell it."""

from enum import StrEnum
from typing import Any

from app.commands.console import CommandError
from app.commands.environment import cards
from app.schemas import AnyCompletedRequest, ConditionalRequest, GenerateRequest

_STEERING = ("guidance_scale", "estimator", "candidates")


class Wish(StrEnum):
    """What --filter takes: the fields of a request's `filter`."""

    VALID = "valid"
    UNIQUE = "unique"
    CONNECTED = "connected"


def given_fields(
    *, num_nodes: str | None, target: list[str] | None, wanted: list[Wish] | None, **others: Any
) -> dict[str, Any]:
    """The fields of a request that the options of `digress sample` and `digress generate` give.

    Raises:
        CommandError: if one of them cannot be read, or there is nothing to steer to.
    """
    fields = others | {
        "num_nodes": None if num_nodes is None else _sizes(num_nodes),
        "targets": _targets(target or []) or None,
        "filter": dict.fromkeys(wanted, True) if wanted else None,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    if "targets" not in given and (steering := [name for name in _STEERING if name in given]):
        raise CommandError(f"--{steering[0].replace('_', '-')} steers to a --target, and there is none")
    return given


def complete_request(model: str, **fields: Any) -> AnyCompletedRequest:
    """A request for `model` with every default filled in; conditional if there are targets."""
    from app.catalogue.validation import complete, find_card

    kind = ConditionalRequest if fields.get("targets") else GenerateRequest
    given = {name: value for name, value in fields.items() if value is not None}
    return complete(kind.model_validate({"model": model, **given}), find_card(model, cards()))


def _targets(texts: list[str]) -> dict[str, float]:
    targets = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in targets:
            raise CommandError(f"--target gives {name} twice; a graph can have only one")
        try:
            targets[name] = float(value)
        except ValueError:
            raise CommandError(f"--target takes property=value, like mu=2.5, not {text!r}") from None
    return targets


def _sizes(text: str) -> int | dict[str, int]:
    low, dash, high = text.partition("-")
    if not low.isdecimal() or (dash and not high.isdecimal()):
        raise CommandError(f"--num-nodes takes a number, like 9, or a range, like 5-9, not {text!r}")
    return {"min": int(low), "max": int(high)} if dash else int(low)
