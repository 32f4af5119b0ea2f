"""The header `Prefer: wait=N` (RFC 7240, section 4.3): answer when the job is done, if that takes no longer."""

import re
from typing import Annotated

from fastapi import Depends, Header

from app.errors import BadHeader

LONGEST_WAIT = 60
_WAIT = re.compile(r"""\bwait\s*=\s*"?([^\s",;]+)"?""", re.IGNORECASE)


def _wait_seconds(
    prefer: Annotated[str | None, Header(description=f"`wait=N`: wait up to N seconds (1 to {LONGEST_WAIT}).")] = None,
) -> int:
    found = _WAIT.search(prefer or "")
    if found is None:
        return 0
    text = found.group(1)
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= LONGEST_WAIT:
        raise BadHeader(f"Prefer: wait takes whole seconds from 1 to {LONGEST_WAIT}, not {text[:20]!r}")
    return int(text)


WaitDep = Annotated[int, Depends(_wait_seconds)]
