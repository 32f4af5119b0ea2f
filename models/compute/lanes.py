"""Threads that compute beside each other.

A network for small graphs is a long row of short operations, and most of those are too short to be shared among
cores. So on a CPU a batch is cut into parts, each of which goes through the network on a core of its own; torch lets
go of Python's lock within an operation. Every lane computes with one thread, so that arithmetic is the same however many
cores there are. A GPU has one lane.
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
        """End the threads; what is asked for afterwards is computed by whoever asks."""
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
