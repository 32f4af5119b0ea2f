"""How long a connection may be open without a whole head of a request; of bodies, `app.http.body_limit` says it."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


class PatientProtocol(H11Protocol):
    """uvicorn's, which by itself waits for ever: each open connection takes memory and a file descriptor."""

    max_seconds = 30.0
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_limit()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._set_limit()
        else:
            self._lift_limit()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lift_limit()
        super().connection_lost(exc)

    def _set_limit(self) -> None:
        # What arrives drop by drop does not put it off.
        self._limit = self._limit or self.loop.call_later(self.max_seconds, self.transport.close)

    def _lift_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
