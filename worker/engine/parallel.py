"""One step of many cohorts on all lanes of the device, whatever its memory holds."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

import structlog
import torch

from models.compute.lanes import Lanes
from models.generation import Cohort, advance
from worker.engine.capacity import Capacity
from worker.engine.job import TooLarge
from worker.engine.schedule import Schedule
from worker.telemetry import WorkerMetrics

_log = structlog.get_logger(__name__)


class ParallelStep:
    """Advances cohorts of one group, cut into a part for each lane, and halved as often as memory is short."""

    def __init__(self, lanes: Lanes, schedule: Schedule, capacity: Capacity, metrics: WorkerMetrics) -> None:
        self._lanes, self._schedule, self._capacity, self._metrics = lanes, schedule, capacity, metrics

    def __call__(self, cohorts: Sequence[Cohort]) -> list[Cohort]:
        """Each cohort one step further, in their order.

        Raises:
            TooLarge: if a single cohort does not fit into memory.
        """
        parts = self._parts(cohorts)
        advanced: list[list[Cohort]] | None = None
        with suppress(torch.OutOfMemoryError):
            advanced = self._lanes.map(lambda part: advance([cohorts[place] for place in part]), parts)
        # Memory is free again only here, after the exception and all that its traceback held are gone.
        if advanced is None and len(cohorts) == 1:
            raise TooLarge("so many graphs of this size do not fit into the worker's memory at once")
        if advanced is None:
            self._shrink(cohorts)
            half = len(cohorts) // 2
            return [*self(cohorts[:half]), *self(cohorts[half:])]
        places = [place for part in parts for place in part]
        in_order = dict(zip(places, chain.from_iterable(advanced), strict=True))
        return [in_order[place] for place in range(len(cohorts))]

    def _parts(self, cohorts: Sequence[Cohort]) -> list[list[int]]:
        """The places of the cohorts, in parts of about the same cost: the most expensive first, each to the lightest part."""
        budget = self._capacity.current(_model_of(cohorts))
        parts: list[list[int]] = [[] for _ in range(budget.num_parts(sum(cohort.cost for cohort in cohorts)))]
        load = [0] * len(parts)
        for place in sorted(range(len(cohorts)), key=lambda place: -cohorts[place].cost):
            lightest = load.index(min(load))
            parts[lightest].append(place)
            load[lightest] += cohorts[place].cost
        return [part for part in parts if part]

    def _shrink(self, cohorts: Sequence[Cohort]) -> None:
        name = _model_of(cohorts)
        torch.cuda.empty_cache()
        budget = self._capacity.current(name)
        smaller = self._capacity.shrink(name, cost=sum(cohort.cost for cohort in cohorts))
        self._schedule.replace_budget(budget, smaller)
        _log.warning("memory is short; steps are made smaller", model=name, largest=smaller.largest)
        self._metrics.memory_was_short(name)


def _model_of(cohorts: Sequence[Cohort]) -> str:
    return cohorts[0].generation.model.card.name
