"""The header `Prefer: wait=N` (RFC 7240, section 4.3): answer when the job is done, if that takes no longer."""

import re
from typing import Annotated

from fastapi import Depends, Header

from app.errors import BadHeader, shorten

LONGEST_WAIT = 60


def _wait_seconds(
    prefer: Annotated[
        list[str] | None, Header(description=f"`wait=N`: wait up to N seconds (1 to {LONGEST_WAIT}).")
    ] = None,
) -> int:
    for preference in ",".join(prefer or []).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            return _seconds(value.strip().strip('"'))
    return 0


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= LONGEST_WAIT:
        raise BadHeader(f"Prefer: wait takes whole seconds from 1 to {LONGEST_WAIT}, not {shorten(text)!r}")
    return int(text)


WaitDep = Annotated[int, Depends(_wait_seconds)]
