"""How much memory a device has, and how much of it is used.

On a GPU, numbers are those of torch's CUDA allocator or of the whole device. On a CPU they are those of this process, which the kernel
counts in `/proc/self/status`, and the limit is that of the container (cgroup v2) or the machine.
"""

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def available_bytes(device: torch.device) -> int:
    """What this process may use: what is free on a GPU, or all memory of the container or machine."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    limit = _CGROUP_LIMIT.read_text().strip() if _CGROUP_LIMIT.exists() else "max"
    return min(_physical_bytes(), int(limit) if limit.isdigit() else sys.maxsize)


def reset_peak(device: torch.device) -> int:
    """Count the peak anew from here on; returns what this process holds now."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_bytes(device)  # which is what it holds now, unless the kernel did not allow the reset


def peak_bytes(device: torch.device) -> int:
    """The most that this process has held at once since `reset_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _process_bytes("VmHWM")


def used_and_free_bytes(device: torch.device) -> tuple[int, int]:
    """Of a GPU, what all processes use, and the rest; of a CPU, what this process holds, and what its limit leaves."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total - free, free
    used = _process_bytes("VmRSS")
    return used, max(available_bytes(device) - used, 0)


def _physical_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _process_bytes(field: str) -> int:
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(f"{field}:")]
        return int(line.split()[1]) * 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on macOS: in bytes, and always the peak
