"""Which number format a network runs in on a device.

bfloat16 on CPUs where it is native (AVX512-BF16 or AMX): several times faster in matrix products, and bit-identical
whatever the batch. Training uses it on GPUs too. Sampling there is in single precision: which kernel a GPU takes, and
so how it rounds, depends on the batch. In bfloat16 one graph in thirty changed with its batch mates, for a gain in speed
of a tenth (models/training/EXPERIMENTS.md, "On a GPU").
"""

from contextlib import AbstractContextManager

import torch
from torch import nn


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 run in hardware on this device."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def draws_in_bfloat16(device: torch.device) -> bool:
    """Whether graphs are drawn in bfloat16 on this device."""
    return device.type == "cpu" and has_native_bfloat16(device)


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """Run a network in the format that graphs are drawn in on this device."""
    return torch.autocast(device.type, torch.bfloat16, enabled=draws_in_bfloat16(device))


def round_weights(network: nn.Module, device: torch.device) -> None:
    """Round the weights of a network's linear maps once, as `autocast` would in every call.

    Results are the same to the bit. The network can then be called under `autocast` only, and not be trained.
    """
    if draws_in_bfloat16(device):
        for module in network.modules():
            if isinstance(module, nn.Linear):
                module.to(torch.bfloat16)
