"""One step of the engine: which graphs advance, what it cost, and which job an error ends."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from models.generation import Cohort
from worker.engine.active import ActiveJobs
from worker.engine.parallel import ParallelStep
from worker.engine.schedule import Schedule
from worker.engine.speed import Speed
from worker.engine.work import Work
from worker.telemetry import WorkerMetrics

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Share:
    """The part of one job in a step."""

    work: Work
    cohorts: list[Cohort]

    @property
    def cost(self) -> int:
        return sum(cohort.cost for cohort in self.cohorts)

    @property
    def num_graphs(self) -> int:
        return sum(len(cohort.graphs) for cohort in self.cohorts)


class Stepper:
    """Takes the steps of one engine and keeps the accounts of them."""

    def __init__(
        self, schedule: Schedule, active: ActiveJobs, advance: ParallelStep, speed: Speed, metrics: WorkerMetrics
    ) -> None:
        self._schedule, self._active, self._advance = schedule, active, advance
        self._speed, self._metrics = speed, metrics

    def step(self) -> None:
        """Take the next step of the schedule."""
        shares = self._begin()
        if shares:
            self._take(shares)

    def _begin(self) -> list[_Share]:
        """What is in the next step. A job whose graphs cannot begin ends."""
        shares: list[_Share] = []
        for work, picks in self._schedule.next_step():
            try:
                shares.append(_Share(work, [work.begin(pick) for pick in picks]))
            except Exception as error:
                _log.exception("graphs could not be begun")
                self._active.end(work, error)
        return shares

    def _take(self, shares: Sequence[_Share]) -> None:
        """Take a step. If it fails, take each job's part alone, so that only the job that causes the error ends by it."""
        started = time.perf_counter()
        try:
            advanced = iter(self._advance([cohort for share in shares for cohort in share.cohorts]))
        except Exception as error:
            _log.exception("a step failed", num_jobs=len(shares))
            self._metrics.step_failed()
            if len(shares) == 1:
                self._active.end(shares[0].work, error)
            else:
                for share in shares:
                    self._take([share])
            return
        self._account_for(shares, time.perf_counter() - started)
        for share in shares:
            self._active.settle(share.work, [next(advanced) for _ in share.cohorts])

    def _account_for(self, shares: Sequence[_Share], seconds: float) -> None:
        """Charge a step to its jobs, and measure by it."""
        costs = {share.work: share.cost for share in shares}
        whole, first = sum(costs.values()), shares[0].work
        self._schedule.charge(costs, seconds)
        self._metrics.step_taken(
            first.generation.model.card.name,
            seconds=seconds,
            num_graphs=sum(share.num_graphs for share in shares),
            fullness=whole / first.budget.largest,
        )
        self._speed.count(work=sum(cost * work.budget.pace for work, cost in costs.items()), seconds=seconds)
        for share in shares:
            part = costs[share.work] / whole
            self._active[share.work].count_step(seconds * part, num_graphs=share.num_graphs)
