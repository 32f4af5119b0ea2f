"""What a device can do in one step, found by trying.

A step of cost Σ n² takes about

    seconds = pace · (overhead + Σ n²)

on one lane: the overhead, in units of Σ n², is what a step costs whatever is in it. A step that is twenty times as
large is within a twentieth of the best that the device can do, and larger ones only make others wait.
"""

import os
import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from models.checkpoint import LoadedModel
from models.compute.lanes import Lanes
from models.generation import Cohort, Generation, advance
from models.plan import GenerationPlan

_OVERHEADS_PER_STEP = 20
_PORTIONS_PER_STEP = 64
_PORTIONS_PER_OVERHEAD = 4
# A lane gains nothing by a part that is not worth a few empty steps: lanes share Python's lock.
_OVERHEADS_PER_PART = 2
# Probes grow until one takes so many times as long as the smallest, or so long that it tells enough by itself, or this share of the memory.
_GROWTH = 8
_LONG_SECONDS = 0.5
_SHARE_OF_PROBES = 0.05
_REPEATS = 2
# A step needs this much per unit at the least, whatever the kernel says; memory that is used again does not show.
_LEAST_BYTES = 1_000.0
# The rest is for other processes, and for what the probes do not show.
_USABLE_SHARE = 0.5
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Budget:
    """What a device can do in one step of a model, in units of Σ n²."""

    largest: int
    """The most that a step shall cost."""
    overhead: int
    """The cost that takes as long as an empty step."""
    pace: float = 1.0
    """Seconds per unit, on one lane."""
    fits: int = sys.maxsize
    """The most that memory shall hold."""
    lanes: int = 1

    @property
    def portion(self) -> int:
        """The most that a cohort costs: small beside a step, and not so small that a step has very many."""
        wanted = max(self.overhead // _PORTIONS_PER_OVERHEAD, self.largest // _PORTIONS_PER_STEP)
        return max(min(wanted, self.fits // _PORTIONS_PER_STEP), 1)

    def num_parts(self, cost: int) -> int:
        """Into how many parts, each for a lane, a step of this cost is worth cutting."""
        return max(1, min(self.lanes, cost // (_OVERHEADS_PER_PART * self.overhead)))


def measure(model: LoadedModel, lanes: Lanes) -> Budget:
    """The budget of a model on its device; takes a second, or minutes if the network is compiled at its first call.

    Raises:
        torch.OutOfMemoryError: if not even one graph fits.
    """
    smallest = _cohort(model, 1)
    device = smallest.seeds.device
    _seconds(smallest, lanes)  # the first time, libraries get ready
    least, at_rest, memory = _seconds(smallest, lanes), used_bytes(device), _memory_bytes(device)
    cost, seconds, per_unit = 2 * smallest.cost, 2 * least, _LEAST_BYTES
    num_graphs, most = 1, sys.maxsize
    while seconds < min(_GROWTH * least, _LONG_SECONDS) and per_unit * cost < _SHARE_OF_PROBES * memory:
        num_graphs *= 2
        larger = _cohort(model, num_graphs)
        try:
            cost, seconds = larger.cost, _seconds(larger, lanes)
        except torch.OutOfMemoryError:
            most = larger.cost // 2
            break
        per_unit = max((peak_bytes(device) - at_rest) / cost, _LEAST_BYTES)
    pace = max(seconds - least, least / 100) / (cost - smallest.cost)
    overhead = max(int(least / pace), smallest.cost)
    fits = min(int(_USABLE_SHARE * memory / per_unit), most)
    return Budget(min(_OVERHEADS_PER_STEP * overhead * lanes.count, fits), overhead, pace, fits, lanes.count)


def _cohort(model: LoadedModel, num_graphs: int) -> Cohort:
    card = model.card
    size, sampling = card.max_nodes, card.sampling
    plan = GenerationPlan(num_graphs, size, size, 0, sampling.sampler, sampling.grid, 1)
    return Generation(model, plan).start(range(num_graphs))


def _seconds(cohort: Cohort, lanes: Lanes) -> float:
    """What a step takes at the least: whatever else the machine does only adds to it."""

    def run(cohort: Cohort) -> float:
        started = time.perf_counter()
        advance([cohort])
        if cohort.seeds.is_cuda:
            torch.cuda.synchronize(cohort.seeds.device)
        return time.perf_counter() - started

    return min(lanes.map(run, [cohort])[0] for _ in range(_REPEATS))


def _memory_bytes(device: torch.device) -> int:
    """What there is for this process: of a GPU what is free, of a machine or a container (cgroup v2) all."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    limit = _CGROUP_LIMIT.read_text().strip() if _CGROUP_LIMIT.exists() else "max"
    return min(_physical_bytes(), int(limit) if limit.isdigit() else sys.maxsize)


def _physical_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def used_bytes(device: torch.device) -> int:
    """What this process holds now; its peak is counted from here on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_bytes(device)  # which is what it holds now, unless the kernel did not let us reset it


def peak_bytes(device: torch.device) -> int:
    """The most that this process has held at once, since `used_bytes` was called."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _process_bytes("VmHWM")


def used_and_free_bytes(device: torch.device) -> tuple[int, int]:
    """Of a GPU what is taken, whoever took it, and the rest; on a CPU what this process holds, and what its limit leaves it."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total - free, free
    used = _process_bytes("VmRSS")
    return used, max(_memory_bytes(device) - used, 0)


def _process_bytes(field: str) -> int:
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(f"{field}:")]
        return int(line.split()[1]) * 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on a Mac: bytes, and always the peak
