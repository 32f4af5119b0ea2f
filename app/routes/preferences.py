"""How a job is asked for: the headers of a submission, and what else the routes need to know about it.

Prefer: wait=N     answer when the job is done, if that takes no longer than N seconds (RFC 7240, section 4.3)
Idempotency-Key    the same key and request give the same job (draft-ietf-httpapi-idempotency-key-header)
"""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from app.access.admission import Admit
from app.access.quota import Caller
from app.http.errors import BadHeader, shorten
from app.http.examples import IDEMPOTENCY_KEY
from app.http.sharing.places import Places
from app.http.telemetry import ApiMetrics
from app.routes.deps import AdmitDep, CallerDep, MetricsDep, PlacesDep

LONGEST_WAIT = 60


def _wait_seconds(
    prefer: Annotated[
        list[str] | None,
        Header(description=f"`wait=N`: wait up to N seconds (1 to {LONGEST_WAIT}).", examples=[["wait=10"]]),
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


@dataclass(frozen=True)
class RequestContext:
    """Headers and caller of a submission."""

    caller: Caller
    """Who asks, with limits and quota."""
    admit: Admit
    """Asks again whether the caller is admitted."""
    metrics: ApiMetrics
    """Counts submitted jobs."""
    wait_seconds: int
    """How long to wait for the job to end; 0: do not wait."""
    places: Places
    """Of those who wait."""
    request: Request
    """To notice that the client has left."""
    idempotency_key: str | None
    """The header `Idempotency-Key`."""
    request_id: str
    """Identifies the request in logs, here and in the worker."""
    has_webhooks: bool
    """Whether the service sends webhooks."""


def _request_context(
    request: Request,
    caller: CallerDep,
    admit: AdmitDep,
    metrics: MetricsDep,
    places: PlacesDep,
    wait_seconds: Annotated[int, Depends(_wait_seconds)],
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="The same key and request give the same job, for a day; the same key with another request is refused.",
            examples=[IDEMPOTENCY_KEY],
        ),
    ] = None,
) -> RequestContext:
    return RequestContext(
        caller=caller,
        admit=admit,
        metrics=metrics,
        wait_seconds=wait_seconds,
        places=places,
        request=request,
        idempotency_key=idempotency_key,
        request_id=request.state.request_id,
        has_webhooks=request.app.state.webhooks is not None,
    )


RequestContextDep = Annotated[RequestContext, Depends(_request_context)]
