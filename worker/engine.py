"""The engine: graphs of many jobs advance together, one step of each in one call of the network.

A thread of its own takes, again and again, the next step that `worker.schedule` makes up, and hands finished graphs
to their jobs. Graphs join and leave at any step. Time limits and cancellations act between two steps.

    submit → Drawing → next_batch, next_batch, …        in the job's own thread
"""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from queue import Empty, SimpleQueue

import structlog
import torch

from app.jobs.reports import WorkerReport
from app.schemas import AnyCompletedRequest, Trajectory
from models.card.card import ModelCard
from models.card.cost import graph_cost
from models.checkpoint import LoadedModel
from models.compute.lanes import Lanes
from models.generation import Cohort, GeneratedBatch, Generation, advance
from worker.budget import Budget, measure
from worker.encoding import encode_frames
from worker.plans import plan
from worker.schedule import Schedule, Work
from worker.store import ModelStore
from worker.telemetry import WorkerMetrics

# No more jobs are wanted while the graphs of those there are fill so many batches, each of which has all its steps to
# go: that is some thousand seconds' work, and other workers may be idle.
_MOST_BATCHES = 256
# With so many seconds' work at hand it takes no more jobs than a few: many at once all end late, and a worker that dies
# loses what it has made of each. Those that are small fill the steps until then.
_MUCH_SECONDS = 10.0
_FEW_JOBS = 16
# A job of low priority may be minutes on its way, and a worker that dies costs it all of that; after two such losses it has
# the share of one of high priority.
_HASTE = 4
# So long steps stay small after memory was short.
_SHRUNK_SECONDS = 60.0
# How long it takes until what was measured of the speed has faded to a third.
_MEMORY_SECONDS = 60.0
_log = structlog.get_logger(__name__)


class TooLong(TimeoutError):
    """A job that was computed for longer than it may be."""


class TooLarge(ValueError):
    """A job with a graph that does not fit into memory."""


class EngineStopped(RuntimeError):
    """The engine has ended with this job unfinished; another one can do it."""


class EngineJob:
    """One job in the engine, as its own thread sees it."""

    def __init__(
        self,
        engine: "Engine",
        request: AnyCompletedRequest,
        model: LoadedModel,
        *,
        tries_lost: int,
        limit_seconds: float | None,
    ) -> None:
        self.request, self.model, self.limit_seconds = request, model, limit_seconds
        self.weight = request.priority.weight * _HASTE**tries_lost
        """Its share of the engine, beside the others'."""
        self.seconds = 0.0
        """Time of the engine that was spent on it: its share of every step."""
        self.reason: BaseException | None = None
        self.generation: Generation | None = None
        self.account = 0.0
        self._engine = engine
        self._outcome: SimpleQueue[Cohort | BaseException] = SimpleQueue()
        self._steps_done, self._num_ordered = 0, request.num_graphs

    @property
    def card(self) -> ModelCard:
        """Of the model that draws."""
        return self.model.card

    @property
    def fraction(self) -> float:
        """How far the graphs are that were ordered last."""
        if self.generation is None:
            return 0.0
        plan = self.generation.plan
        return self._steps_done / (self._num_ordered * plan.candidates * plan.num_steps)

    def next_batch(self, timeout: float) -> GeneratedBatch | None:
        """Graphs that have been finished since; None if none have, at the latest after `timeout` seconds.

        Raises:
            TooLong: if its time is up.
            TooLarge: if it does not fit into memory.
            EngineStopped: if the engine has ended.
            Exception: what the drawing was called off with, or what went wrong in it.
        """
        try:
            outcome = self._outcome.get(timeout=timeout)
        except Empty:
            return None
        if isinstance(outcome, BaseException):
            raise outcome
        return self._engine.finish(outcome)

    def batches(self) -> Iterator[GeneratedBatch]:
        """All graphs, as they are finished; raises what `next_batch` raises."""
        left = self.request.num_graphs
        while left:
            if batch := self.next_batch(timeout=1.0):
                left -= len(batch.indices)
                yield batch

    def trajectories(self, batch: GeneratedBatch) -> dict[int, Trajectory]:
        """The way of every graph of a batch, by number; empty if no frames are kept."""
        if not batch.frames or self.generation is None:
            return {}
        return dict(encode_frames(batch, self.generation.model.card, self.generation.plan))

    def draw_again(self, indices: Sequence[int], *, round_number: int) -> None:
        """Draw these graphs once more, from the noise of another round; all that was ordered before must have arrived."""
        self._steps_done, self._num_ordered = 0, len(indices)
        self._engine.order(_Order(self, indices, round_number))

    def call_off(self, reason: BaseException) -> None:
        """Let the engine drop what is left before its next step; `next_batch` then raises `reason`."""
        self.reason = self.reason or reason
        self._engine.wake()

    # What follows is the engine's.

    def spend(self, seconds: float, graph_steps: int) -> None:
        """So much time, and so many steps of a graph, more."""
        self.seconds += seconds
        self._steps_done += graph_steps
        if self.limit_seconds is not None and self.seconds > self.limit_seconds:
            self.reason = self.reason or TooLong("the job's time is up")

    def deliver(self, outcome: Cohort | BaseException) -> None:
        """Hand over a finished cohort, or why there are no more to come."""
        self._outcome.put(outcome)


@dataclass(frozen=True)
class _Order:
    """Graphs of a drawing to draw: those chosen, or all."""

    job: EngineJob
    chosen: Sequence[int] | None
    round_number: int


class Engine:
    """Draws graphs for many jobs at once with the models of one store."""

    def __init__(self, store: ModelStore, budget: Budget | None = None) -> None:
        """`budget` is for all models; if it is None, that of each is found by trying."""
        self.store = store
        self.metrics = WorkerMetrics()
        self.metrics.watch(store.device, lambda: (self.report(), len(self._schedule)))
        self._lanes = Lanes(store.device)
        self._schedule, self._budget = Schedule(), budget
        self._budgets: dict[str, Budget] = {}
        self._measured: dict[str, Budget] = {}
        self._shrunk: dict[str, float] = {}
        # Seconds of work, by pace, and the seconds that it took; both fade with time.
        self._done = self._busy = 1e-3
        self._jobs: dict[Work, EngineJob] = {}
        self._orders: list[_Order] = []
        self._changed = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> "Engine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping = True
        self.wake()
        self._thread.join()
        self._lanes.close()

    @property
    def is_running(self) -> bool:
        """False once it has ended, be it by a fault."""
        return self._thread.is_alive()

    @property
    def has_room(self) -> bool:
        """Whether it can take another job; a small one does not wait for the large ones that are there, if these are few."""
        with self._changed:
            ordered = sum(self._batches(order.job) for order in self._orders)
            num_jobs = len(self._schedule) + len(self._orders)
        if num_jobs >= _FEW_JOBS and self._schedule.seconds_left > _MUCH_SECONDS:
            return False
        return self._schedule.batches_left + ordered < _MOST_BATCHES

    def report(self) -> WorkerReport:
        """What it can do, as far as it has tried, and what it has still to do."""
        known = dict(self._measured)
        return WorkerReport(
            capacity={name: budget.fits for name, budget in known.items()},
            pace={name: budget.pace for name, budget in known.items()},
            speed=self._done / self._busy,
            left=self._schedule.seconds_left,
        )

    def follow(self, unloaded: frozenset[str]) -> None:
        """Have none of these models any more, nor any whose checkpoint has changed; what is being drawn by them goes on."""
        for name in self.store.follow(unloaded):
            self._measured.pop(name, None)
            _log.info("model is let go", model=name)

    def prepare(self, name: str) -> Budget:
        """Load a model, and find out what the device can do with it in one step, unless that is known.

        Raises:
            UnknownModel: if there is no such checkpoint.
            CardError: if the checkpoint is broken.
        """
        model = self.store.model(name)
        if name not in self._measured:
            self._measured[name] = self._budget or measure(model, self._lanes)
            self.metrics.ready(name)
        if time.monotonic() - self._shrunk.get(name, -_SHRUNK_SECONDS) >= _SHRUNK_SECONDS:
            self._budgets[name] = self._measured[name]
        return self._budgets[name]

    def submit(
        self, request: AnyCompletedRequest, *, tries_lost: int = 0, limit_seconds: float | None = None
    ) -> EngineJob:
        """Begin to draw the graphs of a request; they arrive at the drawing.

        Every one of `tries_lost`, in which another worker died with it half done, gives it more of the time.

        Raises:
            UnknownModel: if there is no such checkpoint.
            CardError: if the checkpoint is broken.
            EngineStopped: if the engine has ended.
        """
        job = EngineJob(
            self, request, self.store.model(request.model), tries_lost=tries_lost, limit_seconds=limit_seconds
        )
        self.order(_Order(job, None, round_number=0))
        return job

    def order(self, order: _Order) -> None:
        """Take an order from a drawing.

        Raises:
            EngineStopped: if the engine has ended.
        """
        with self._changed:
            if self._is_stopping:
                raise EngineStopped("the engine has ended")
            self._orders.append(order)
            self._changed.notify()

    def wake(self) -> None:
        """Look about: something has changed."""
        with self._changed:
            self._changed.notify()

    def finish(self, cohort: Cohort) -> GeneratedBatch | None:
        """The graphs that a finished cohort decides, if any; for its job's thread, so that the steps of others go on."""
        (batch,) = self._lanes.map(cohort.generation.finish, [cohort])
        return batch

    def _batches(self, job: EngineJob) -> float:
        """How many steps it takes at the most to bring every graph of a drawing one step further."""
        budget = self._budgets.get(job.request.model)
        if budget is None:
            return 0.0
        request = job.request
        cost = graph_cost(job.card, job.card.max_nodes, request.estimator)
        return request.num_graphs * request.candidates * cost / budget.largest

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._turn()
        except Exception:
            _log.exception("the engine has ended by a fault")
        finally:
            with self._changed:
                self._is_stopping = True
                jobs = [*(order.job for order in self._orders), *self._jobs.values()]
            for job in jobs:
                job.deliver(EngineStopped("the engine has ended"))

    def _turn(self) -> None:
        with self._changed:
            while not (self._orders or self._jobs or self._is_stopping):
                self._changed.wait()
            orders, self._orders = self._orders, []
        for order in orders:
            self._admit(order)
        for work, job in list(self._jobs.items()):
            if job.reason is not None:
                self._end(work, job.reason)
        if self._jobs and not self._is_stopping:
            self._step()

    def _admit(self, order: _Order) -> None:
        job = order.job
        try:
            if job.reason is not None:
                raise job.reason
            if job.generation is None:
                budget = self.prepare(job.request.model)
                job.generation = Generation(job.model, plan(job.request, job.card))
            else:  # what has begun goes on, even if its model has been unloaded meanwhile
                budget = self._budgets[job.request.model]
            if job.generation.largest_cost > budget.fits:
                raise TooLarge("a graph of this size does not fit into the worker's memory")
            work = Work(
                job.generation,
                budget,
                chosen=order.chosen,
                round_number=order.round_number,
                weight=job.weight,
            )
        except Exception as error:  # whatever it is, it is this job's and no other's
            job.deliver(error)
            return
        work.account = job.account
        self._jobs[work] = job
        self._schedule.add(work)

    def _step(self) -> None:
        ready: list[tuple[Work, list[Cohort]]] = []
        for work, picks in self._schedule.next_step():
            try:
                ready.append((work, [work.begin(pick) for pick in picks]))
            except Exception as error:
                _log.exception("graphs could not be begun")
                self._end(work, error)
        if ready:
            self._advance(ready)

    def _advance(self, ready: list[tuple[Work, list[Cohort]]]) -> None:
        """One step; if it fails, each job's graphs alone, so that only the job whose fault it is ends by it."""
        started = time.perf_counter()
        try:
            advanced = iter(self._advance_in_lanes([cohort for _, cohorts in ready for cohort in cohorts]))
        except Exception as error:
            _log.exception("a step failed", num_jobs=len(ready))
            self.metrics.step_failed()
            if len(ready) == 1:
                self._end(ready[0][0], error)
            else:
                for one in ready:
                    self._advance([one])
            return
        seconds = time.perf_counter() - started
        costs = {work: sum(cohort.cost for cohort in cohorts) for work, cohorts in ready}
        self._schedule.charge(costs, seconds)
        budget = ready[0][0].budget
        self.metrics.step(
            ready[0][0].generation.model.card.name,
            seconds=seconds,
            num_graphs=sum(len(cohort.graphs) for _, cohorts in ready for cohort in cohorts),
            fullness=sum(costs.values()) / budget.largest,
        )
        fade = math.exp(-seconds / _MEMORY_SECONDS)
        self._busy = fade * self._busy + seconds
        self._done = fade * self._done + sum(cost * work.budget.pace for work, cost in costs.items())
        for work, cohorts in ready:
            share = costs[work] / sum(costs.values())
            self._jobs[work].spend(seconds * share, sum(len(cohort.graphs) for cohort in cohorts))
        for work, cohorts in ready:
            self._settle(work, [next(advanced) for _ in cohorts])

    def _advance_in_lanes(self, cohorts: list[Cohort]) -> list[Cohort]:
        """Each one step further, in their order; cut into parts of about the same cost if that is quicker."""
        budget = self._budgets[cohorts[0].generation.model.card.name]
        parts: list[list[int]] = [[] for _ in range(budget.num_parts(sum(cohort.cost for cohort in cohorts)))]
        load = [0] * len(parts)
        for place in sorted(range(len(cohorts)), key=lambda place: -cohorts[place].cost):
            lightest = load.index(min(load))
            parts[lightest].append(place)
            load[lightest] += cohorts[place].cost
        parts = [part for part in parts if part]
        advanced: list[list[Cohort]] | None = None
        with suppress(torch.OutOfMemoryError):
            advanced = self._lanes.map(lambda part: advance([cohorts[place] for place in part]), parts)
        # Only here, where the exception and all that its traceback held is gone, is there memory again.
        if advanced is None and len(cohorts) == 1:
            raise TooLarge("so many graphs of this size do not fit into the worker's memory at once")
        if advanced is None:
            self._shrink(cohorts)
            half = len(cohorts) // 2
            return [*self._advance_in_lanes(cohorts[:half]), *self._advance_in_lanes(cohorts[half:])]
        places = [place for part in parts for place in part]
        in_order = dict(zip(places, chain.from_iterable(advanced), strict=True))
        return [in_order[place] for place in range(len(cohorts))]

    def _shrink(self, cohorts: list[Cohort]) -> None:
        """These were too many for a step, for a while: others need memory too, or the probes have not shown all."""
        name = cohorts[0].generation.model.card.name
        torch.cuda.empty_cache()
        budget = self._budgets[name]
        too_much = sum(cohort.cost for cohort in cohorts)
        self._budgets[name] = smaller = replace(budget, largest=min(budget.largest, too_much // 2))
        self._shrunk[name] = time.monotonic()
        for work in self._jobs:
            if work.budget is budget:
                work.budget = smaller
        _log.warning("memory is short; steps are made smaller", model=name, largest=smaller.largest)
        self.metrics.memory_was_short(name)

    def _settle(self, work: Work, cohorts: list[Cohort]) -> None:
        work.put_back(cohorts)
        for cohort in cohorts:
            if cohort.is_finished:
                self._jobs[work].deliver(cohort)
        if work.is_over:
            self._end(work)

    def _end(self, work: Work, error: BaseException | None = None) -> None:
        self._schedule.remove(work)
        job = self._jobs.pop(work)
        job.account = work.account
        if error is not None:
            job.deliver(error)
