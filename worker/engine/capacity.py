"""What the device can do in one step of each model: a budget, measured when a model is first used.

When a step did not fit into memory, steps of that model stay smaller for a minute: other processes need memory too, or the
measurement did not show all.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import replace

from models.compute.lanes import Lanes
from worker.engine.budget import Budget, measure
from worker.store import ModelStore
from worker.telemetry import WorkerMetrics

_SHRUNK_SECONDS = 60.0


class Capacity:
    """The budgets of one device, by model."""

    def __init__(self, store: ModelStore, lanes: Lanes, metrics: WorkerMetrics, fixed: Budget | None) -> None:
        """`fixed` is the budget of all models; if it is None, each is measured."""
        self._store, self._lanes, self._metrics, self._fixed = store, lanes, metrics, fixed
        self._measured: dict[str, Budget] = {}
        # Those that hold now: as measured, or smaller for a while.
        self._current: dict[str, Budget] = {}
        self._shrunk_at: dict[str, float] = {}

    @property
    def measured(self) -> Mapping[str, Budget]:
        """The budgets as they were measured."""
        return dict(self._measured)

    def __contains__(self, name: str) -> bool:
        return name in self._current

    def current(self, name: str) -> Budget:
        """The budget of a prepared model that holds now."""
        return self._current[name]

    def prepare(self, name: str) -> Budget:
        """Load a model, and measure its budget unless it is known.

        Raises:
            UnknownModel: if there is no such checkpoint.
            CardError: if the checkpoint is broken.
        """
        model = self._store.model(name)
        if name not in self._measured:
            self._measured[name] = self._fixed or measure(model, self._lanes)
            self._metrics.model_ready(name)
        if time.monotonic() - self._shrunk_at.get(name, -math.inf) >= _SHRUNK_SECONDS:
            self._current[name] = self._measured[name]
        return self._current[name]

    def shrink(self, name: str, *, cost: int) -> Budget:
        """Make steps smaller than `cost`, which did not fit, by half at least; returns the budget that holds now."""
        budget = self._current[name]
        self._current[name] = replace(budget, largest=min(budget.largest, cost // 2))
        self._shrunk_at[name] = time.monotonic()
        return self._current[name]

    def forget(self, name: str) -> None:
        """Measure a model anew when it is next prepared; what is being drawn by it keeps its budget."""
        self._measured.pop(name, None)
