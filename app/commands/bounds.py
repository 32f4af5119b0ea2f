"""Conditions on properties as a person writes them: `logp>1`, `sa<=4`, `hbd=2`."""

import re
from collections.abc import Iterable
from typing import get_args

from app.commands.console import CommandError
from models.card.config import Descriptor

_CONDITION = re.compile(
    r"\s*(?P<name>[a-z_]+)\s*(?P<sign>[<>]=?|==?)\s*(?P<value>[-+]?[\d.]+(e[-+]?\d+)?)\s*", re.IGNORECASE
)


def parse_bounds(texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """Property -> its bounds as in a request, where both ends are included: `<` is read as `<=`.

    Raises:
        CommandError: if a text is no condition, or two are about the same end.
    """
    bounds: dict[str, dict[str, float]] = {}
    for text in texts:
        name, sign, value = _parse(text)
        ends = {"<": ["max"], ">": ["min"], "=": ["min", "max"]}[sign[0]]
        for end in ends:
            if end in bounds.setdefault(name, {}):
                raise CommandError(f"--where says twice what {end} {name} has; a property has one range")
            bounds[name][end] = value
    return bounds


def _parse(text: str) -> tuple[str, str, float]:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise CommandError(f"--where takes a property and a bound, like 'logp>1' or 'sa<=4', not {text!r}")
    known = get_args(Descriptor)
    if found["name"].lower() not in known:
        raise CommandError(f"--where has no property {found['name']!r}; it has {', '.join(known)}")
    try:
        return found["name"].lower(), found["sign"], float(found["value"])
    except ValueError:
        raise CommandError(f"--where takes a number as bound, not {found['value']!r}") from None
