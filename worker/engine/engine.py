"""The engine: graphs of many jobs advance together, one step of each in one call of the network.

A thread of its own admits orders, takes the next step of `worker.engine.schedule`, again and again, and delivers finished graphs
to their jobs. Graphs join and leave at any step. Time limits and cancellations act between two steps.

    submit → EngineJob → next_batch, next_batch, …        in the job's own thread
"""

import threading

import structlog

from app.jobs.reports import WorkerReport
from app.schemas import AnyCompletedRequest
from models.compute.lanes import Lanes
from worker.engine.active import ActiveJobs
from worker.engine.admission import Admission
from worker.engine.budget import Budget
from worker.engine.capacity import Capacity
from worker.engine.job import EngineJob, EngineStopped, Order, OrderQueue
from worker.engine.parallel import ParallelStep
from worker.engine.schedule import Schedule
from worker.engine.speed import Speed
from worker.engine.stepping import Stepper
from worker.store import ModelStore
from worker.telemetry import WorkerMetrics

_log = structlog.get_logger(__name__)


class Engine:
    """Draws graphs for many jobs at once with the models of one store."""

    def __init__(self, store: ModelStore, budget: Budget | None = None) -> None:
        """`budget` is for all models; if it is None, that of each is measured."""
        self.store, self.metrics = store, WorkerMetrics()
        self._lanes, self._orders, self._schedule, self._speed = Lanes(store.device), OrderQueue(), Schedule(), Speed()
        self._capacity = Capacity(store, self._lanes, self.metrics, budget)
        self._admission = Admission(self._orders, self._schedule, self._capacity)
        self._active = ActiveJobs(self._schedule)
        parallel = ParallelStep(self._lanes, self._schedule, self._capacity, self.metrics)
        self._stepper = Stepper(self._schedule, self._active, parallel, self._speed, self.metrics)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.metrics.watch(store.device, lambda: (self.report(), len(self._schedule)))

    def __enter__(self) -> "Engine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.close()
        self._thread.join()
        self._lanes.close()

    @property
    def is_running(self) -> bool:
        """False once it has ended, be it by an error."""
        return self._thread.is_alive()

    def has_room_for(self, owner: str) -> bool:
        """Whether it can take another job of an owner."""
        return self._admission.has_room_for(owner)

    def report(self) -> WorkerReport:
        """What it can do, as far as it was measured, and what it has still to do."""
        measured = self._capacity.measured
        return WorkerReport(
            capacity={name: budget.fits for name, budget in measured.items()},
            pace={name: budget.pace for name, budget in measured.items()},
            speed=self._speed.ratio,
            left=self._schedule.seconds_left,
            weight=self._schedule.weight,
        )

    def refresh_models(self, unloaded: frozenset[str]) -> None:
        """Unload these models, and those whose checkpoint has changed; jobs that they draw go on."""
        for name in self.store.refresh(unloaded):
            self._capacity.forget(name)
            _log.info("model unloaded", model=name)

    def prepare(self, name: str) -> Budget:
        """Load a model, and measure what the device can do with it in one step, unless that is known.

        Raises:
            UnknownModel: if there is no such checkpoint.
            CardError: if the checkpoint is broken.
        """
        return self._capacity.prepare(name)

    def submit(
        self,
        request: AnyCompletedRequest,
        *,
        owner: str = "",
        tries_lost: int = 0,
        limit_seconds: float | None = None,
    ) -> EngineJob:
        """Begin to draw the graphs of an owner's request; they arrive at the job.

        Each of `tries_lost`, in which a worker died with the job half done, gives it more of the time.

        Raises:
            UnknownModel: if there is no such checkpoint.
            CardError: if the checkpoint is broken.
            EngineStopped: if the engine has stopped.
        """
        model = self.store.model(request.model)
        job = EngineJob(
            request,
            model,
            orders=self._orders,
            lanes=self._lanes,
            owner=owner,
            tries_lost=tries_lost,
            limit_seconds=limit_seconds,
        )
        self._orders.put(Order(job))
        return job

    def _run(self) -> None:
        try:
            while not self._orders.is_closed:
                self._turn()
        except Exception:
            _log.exception("the engine crashed")
        finally:
            self._orders.close()
            for job in [*(order.job for order in self._orders.take(block=False)), *self._active]:
                job.deliver(EngineStopped("the engine has ended"))

    def _turn(self) -> None:
        """Admit orders, end canceled jobs, take one step; waits if there is nothing to do."""
        for order in self._orders.take(block=not self._active):
            self._admit(order)
        self._active.end_canceled()
        if self._active and not self._orders.is_closed:
            self._stepper.step()

    def _admit(self, order: Order) -> None:
        try:
            work = self._admission.admit(order)
        except Exception as error:  # whatever it is, it concerns this job and no other
            order.job.deliver(error)
            return
        self._active.add(order.job, work)
