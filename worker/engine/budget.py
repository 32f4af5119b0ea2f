"""What a device can do in one step of a model, measured.

A step of cost Σ c (`models.card.cost`) takes about

    seconds = pace · (overhead + Σ c)

on one lane. The overhead is the time of an empty step, expressed as the cost that takes as long. A step of twenty times
that cost is within a twentieth of the best speed of the device; larger ones only make other jobs wait.
"""

import sys
import time
from dataclasses import dataclass

import torch

from models.checkpoint import LoadedModel
from models.compute.lanes import Lanes
from models.compute.memory import available_bytes, peak_bytes, reset_peak
from models.generation import Cohort, Generation, advance
from models.plan import GenerationPlan

_OVERHEADS_PER_STEP = 20
_PORTIONS_PER_STEP = 64
_PORTIONS_PER_OVERHEAD = 4
# A lane gains nothing by a part that is not worth a few empty steps: lanes share Python's lock.
_OVERHEADS_PER_PART = 2
# Probes grow until one takes so many times as long as the smallest, or so many seconds, or this share of the memory.
_GROWTH = 8
_LONG_SECONDS = 0.5
_SHARE_OF_PROBES = 0.05
_REPEATS = 2
# A step needs at least so many bytes per unit, whatever the kernel reports: memory that is used again does not show.
_LEAST_BYTES = 1_000.0
# The rest is for other processes, and for what the probes do not show.
_USABLE_SHARE = 0.5


@dataclass(frozen=True)
class Budget:
    """What a device can do in one step of a model, in units of cost."""

    largest: int
    """The most that a step should cost."""
    overhead: int
    """The cost that takes as long as an empty step."""
    pace: float = 1.0
    """Seconds per unit, on one lane."""
    fits: int = sys.maxsize
    """The most that memory can hold."""
    lanes: int = 1

    @property
    def portion(self) -> int:
        """The most that a cohort costs: small beside a step, and not so small that a step has very many."""
        wanted = max(self.overhead // _PORTIONS_PER_OVERHEAD, self.largest // _PORTIONS_PER_STEP)
        return max(min(wanted, self.fits // _PORTIONS_PER_STEP), 1)

    def num_parts(self, cost: int) -> int:
        """Into how many parts, one per lane, it pays to cut a step of this cost."""
        return max(1, min(self.lanes, cost // (_OVERHEADS_PER_PART * self.overhead)))


def measure(model: LoadedModel, lanes: Lanes) -> Budget:
    """The budget of a model on its device; takes a second, or minutes if the network is compiled at its first call.

    Raises:
        torch.OutOfMemoryError: if not even one graph fits.
    """
    smallest = _cohort(model, 1)
    device = smallest.seeds.device
    _seconds(smallest, lanes)  # the first call prepares libraries
    least, at_rest, memory = _seconds(smallest, lanes), reset_peak(device), available_bytes(device)
    cost, seconds, bytes_per_unit = 2 * smallest.cost, 2 * least, _LEAST_BYTES
    num_graphs, most = 1, sys.maxsize
    while seconds < min(_GROWTH * least, _LONG_SECONDS) and bytes_per_unit * cost < _SHARE_OF_PROBES * memory:
        num_graphs *= 2
        larger = _cohort(model, num_graphs)
        try:
            cost, seconds = larger.cost, _seconds(larger, lanes)
        except torch.OutOfMemoryError:
            most = larger.cost // 2
            break
        bytes_per_unit = max((peak_bytes(device) - at_rest) / cost, _LEAST_BYTES)
    pace = max(seconds - least, least / 100) / (cost - smallest.cost)
    overhead = max(int(least / pace), smallest.cost)
    fits = min(int(_USABLE_SHARE * memory / bytes_per_unit), most)
    return Budget(min(_OVERHEADS_PER_STEP * overhead * lanes.count, fits), overhead, pace, fits, lanes.count)


def _cohort(model: LoadedModel, num_graphs: int) -> Cohort:
    card = model.card
    size, sampling = card.max_nodes, card.sampling
    plan = GenerationPlan(num_graphs, size, size, 0, sampling.sampler, sampling.grid, 1)
    return Generation(model, plan).start(range(num_graphs))


def _seconds(cohort: Cohort, lanes: Lanes) -> float:
    """Seconds of a step: the minimum over repeats, since other load on the machine only adds to it."""

    def run(cohort: Cohort) -> float:
        started = time.perf_counter()
        advance([cohort])
        if cohort.seeds.is_cuda:
            torch.cuda.synchronize(cohort.seeds.device)
        return time.perf_counter() - started

    return min(lanes.map(run, [cohort])[0] for _ in range(_REPEATS))
