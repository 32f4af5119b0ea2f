"""How many callers of one process may wait for jobs at the same time: of one owner, and of all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.http.errors import OwnerStreamsFull, StreamsFull


class Places:
    """Places of those who wait: event streams, and requests with `Prefer: wait`."""

    def __init__(self, limit: int, owner_limit: int) -> None:
        self._limit, self._owner_limit = limit, owner_limit
        self._taken: Counter[str] = Counter()

    @property
    def num_taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def are_free(self, owner: str) -> bool:
        """Whether there is a place for one more of this owner."""
        return self.num_taken < self._limit and self._taken[owner] < self._owner_limit

    @contextmanager
    def hold(self, owner: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            OwnerStreamsFull: if the owner holds as many as one may.
            StreamsFull: if all are taken.
        """
        if self._taken[owner] >= self._owner_limit:
            raise OwnerStreamsFull(
                f"{self._taken[owner]} of your requests wait for jobs, and DIGRESS_MAX_OWNER_STREAMS allows no more; "
                "end one, or ask for the job itself from time to time"
            )
        if self.num_taken >= self._limit:
            raise StreamsFull(f"{self.num_taken} requests wait for jobs, and DIGRESS_MAX_STREAMS allows no more")
        self._taken[owner] += 1
        try:
            yield
        finally:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]
