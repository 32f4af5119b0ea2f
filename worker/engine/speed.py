"""How fast the engine is: seconds of work, by pace, that it does in a second.

    speed = Σ cost · pace / Σ seconds

over all steps, older ones counting less: after a minute of steps, a third. Several lanes make it larger, overhead smaller.
"""

import math

_MEMORY_SECONDS = 60.0


class Speed:
    """The speed of the last minute or so; 1 until something was measured."""

    def __init__(self) -> None:
        self._work = self._seconds = 1e-3

    @property
    def ratio(self) -> float:
        """Seconds of work per second."""
        return self._work / self._seconds

    def count(self, *, work: float, seconds: float) -> None:
        """Count a step that did so many seconds of work in so many seconds."""
        fade = math.exp(-seconds / _MEMORY_SECONDS)
        self._seconds = fade * self._seconds + seconds
        self._work = fade * self._work + work
