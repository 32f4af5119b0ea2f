"""Lanes: threads that compute in parallel, one core each.

A network for small graphs is a long sequence of short operations, and most of them are too short to be shared among
cores. So on a CPU a batch is cut into parts, and each part goes through the network on one core. This works since torch releases
Python's lock within an operation. Every lane computes with one thread, so results do not depend on the number of
cores. A GPU has one lane.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from models.compute.threads import prepare_thread

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


class Lanes:
    """As many lanes as torch has threads (`OMP_NUM_THREADS`; the number of cores, if that is not set), or one on a GPU."""

    def __init__(self, device: torch.device, count: int | None = None) -> None:
        self.count = count or (torch.get_num_threads() if device.type == "cpu" else 1)
        self._threads = None
        if device.type == "cpu":
            self._threads = ThreadPoolExecutor(self.count, "lane", initializer=lambda: prepare_thread(num_cores=1))

    def __enter__(self) -> "Lanes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; later calls of `map` compute in the calling thread."""
        threads, self._threads = self._threads, None
        if threads:
            threads.shutdown()

    def map(self, function: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
        """The function of every part, a lane for each; an error in one of them is raised when all have ended."""
        threads = self._threads
        if threads is None:
            return [function(part) for part in parts]
        futures = [threads.submit(function, part) for part in parts]
        for future in futures:
            future.exception()
        return [future.result() for future in futures]
