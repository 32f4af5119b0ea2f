"""A job in the engine, as its own thread sees it: it orders graphs, and takes them as they are finished."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from app.schemas import AnyCompletedRequest, Trajectory
from models.card.card import ModelCard
from models.checkpoint import LoadedModel
from models.compute.lanes import Lanes
from models.generation import Cohort, GeneratedBatch, Generation
from worker.encoding import encode_frames
from worker.engine.work import Account

# A job of low priority may run for minutes, and a worker that dies loses all of that. After two such losses it has
# the share of a job of high priority.
_WEIGHT_PER_LOST_TRY = 4


class TooLong(TimeoutError):
    """The job was computed for longer than it may be."""


class TooLarge(ValueError):
    """A graph of the job does not fit into memory."""


class EngineStopped(RuntimeError):
    """The engine has stopped before the job was finished; another one can do it."""


class EngineJob:
    """One job in the engine, as its own thread sees it."""

    def __init__(
        self,
        request: AnyCompletedRequest,
        model: LoadedModel,
        *,
        orders: "OrderQueue",
        lanes: Lanes,
        owner: str,
        tries_lost: int,
        limit_seconds: float | None,
    ) -> None:
        self.request, self.model, self.owner = request, model, owner
        self.account = Account(request.priority.weight * _WEIGHT_PER_LOST_TRY**tries_lost)
        self.generation: Generation | None = None
        """What it draws; known once the engine has admitted it."""
        self.end_reason: BaseException | None = None
        """Why the engine shall end it before its next step."""
        self._orders, self._lanes, self._limit_seconds = orders, lanes, limit_seconds
        self._outcomes: SimpleQueue[Cohort | BaseException] = SimpleQueue()
        self._seconds = self._own_seconds = 0.0
        self._steps_done, self._num_ordered = 0, request.num_graphs

    @property
    def card(self) -> ModelCard:
        """Of the model that draws."""
        return self.model.card

    @property
    def fraction(self) -> float:
        """The progress of the graphs that were ordered last, from 0 to 1."""
        if self.generation is None:
            return 0.0
        num_draws = self._num_ordered * self.generation.plan.candidates
        return self._steps_done / (num_draws * self.generation.num_steps)

    def next_batch(self, timeout: float) -> GeneratedBatch | None:
        """Graphs that have been finished since; None if there are none within `timeout` seconds.

        Raises:
            TooLong: if its time is up.
            TooLarge: if it does not fit into memory.
            EngineStopped: if the engine has stopped.
            Exception: the reason it was canceled for, or what went wrong.
        """
        try:
            outcome = self._outcomes.get(timeout=timeout)
        except Empty:
            return None
        if isinstance(outcome, BaseException):
            raise outcome
        # In this thread, so that the steps of other jobs go on.
        (batch,) = self._lanes.map(outcome.generation.finish, [outcome])
        return batch

    def trajectories(self, batch: GeneratedBatch) -> dict[int, Trajectory]:
        """The trajectory of every graph of a batch, by number; empty if no frames are kept."""
        if not batch.frames or self.generation is None:
            return {}
        return dict(encode_frames(batch, self.generation.model.card, self.generation.plan))

    def draw_more(self, numbers: Sequence[int]) -> None:
        """Draw further graphs, by number; all that was ordered before must have arrived.

        Raises:
            EngineStopped: if the engine has stopped.
        """
        self._steps_done, self._num_ordered = 0, len(numbers)
        self._orders.put(Order(self, numbers))

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """Work of the job's own thread on its graphs; its time counts as well.

        Raises:
            TooLong: if the job's time is up, afterwards.
        """
        started = time.perf_counter()
        yield
        self._own_seconds += time.perf_counter() - started
        if self._limit_seconds is not None and self._seconds + self._own_seconds > self._limit_seconds:
            raise TooLong("the job's time is up")

    def cancel(self, reason: BaseException) -> None:
        """Drop what is left before the next step; `next_batch` then raises `reason`. The first reason counts."""
        self.end_reason = self.end_reason or reason

    # The engine's thread calls what follows.

    def count_step(self, seconds: float, *, num_graphs: int) -> None:
        """Count a step of so many graphs, which took so much of the engine's time."""
        self._seconds += seconds
        self._steps_done += num_graphs
        if self._limit_seconds is not None and self._seconds + self._own_seconds > self._limit_seconds:
            self.cancel(TooLong("the job's time is up"))

    def deliver(self, outcome: Cohort | BaseException) -> None:
        """Hand over a finished cohort, or the reason why no more will come."""
        self._outcomes.put(outcome)


@dataclass(frozen=True)
class Order:
    """Graphs of a job to draw: those chosen, or all."""

    job: EngineJob
    chosen: Sequence[int] | None = None


class OrderQueue:
    """Orders on their way from the jobs' threads to the engine's thread."""

    def __init__(self) -> None:
        self._waiting: list[Order] = []
        self._changed = threading.Condition()
        self.is_closed = False

    def put(self, order: Order) -> None:
        """Place an order.

        Raises:
            EngineStopped: if the engine takes no more.
        """
        with self._changed:
            if self.is_closed:
                raise EngineStopped("the engine has ended")
            self._waiting.append(order)
            self._changed.notify()

    def waiting(self) -> list[Order]:
        """Orders that have not been taken."""
        with self._changed:
            return list(self._waiting)

    def take(self, *, block: bool) -> list[Order]:
        """All orders that wait; with `block`, only when there is one, or no more will come."""
        with self._changed:
            while block and not (self._waiting or self.is_closed):
                self._changed.wait()
            orders, self._waiting = self._waiting, []
        return orders

    def close(self) -> None:
        """Take no more orders."""
        with self._changed:
            self.is_closed = True
            self._changed.notify()
