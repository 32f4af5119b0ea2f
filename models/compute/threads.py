"""How a thread computes: without denormal numbers, and with as many cores as it is given.

A denormal number is smaller than the smallest normal one (about 1e-38 in float32). CPUs need many times longer for each
operation with one, and here such numbers are as good as 0: tiny probabilities and gradients. So they are flushed to 0.
The flag belongs to the thread that sets it, and to the threads which that one starts later.
"""

import torch


def prepare_thread(*, num_cores: int | None = None) -> None:
    """Flush denormal numbers in this thread; with `num_cores`, share an operation among that many."""
    if num_cores is not None:
        torch.set_num_threads(num_cores)
    torch.set_flush_denormal(True)
