"""How gradients move weights: AdamW, or Muon for the matrices inside the layers and AdamW for the rest.

Muon takes each matrix's momentum to the nearest orthogonal one, so that all directions move alike.

References:
    Loshchilov & Hutter 2019, Decoupled weight decay regularization, arXiv:1711.05101 (AdamW)
    Jordan et al. 2024, Muon, and Liu et al. 2025, Muon is scalable for LLM training, arXiv:2502.16982
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from models.training.preset import TrainingConfig


def make_optimizer(module: nn.Module, config: TrainingConfig) -> Optimizer:
    """The optimizer of a preset; biases and norms do not decay."""
    inside, weights, others = _sorted(module, config.optimizer == "muon")
    adam = AdamW(
        [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.learning_rate,
        fused=True,
    )
    if not inside:
        return adam
    return Together(Muon(inside, lr=config.matrix_learning_rate, weight_decay=config.weight_decay), adam)


class Together(Optimizer):
    """Optimizers of different weights as one."""

    def __init__(self, *optimizers: Optimizer) -> None:
        self.optimizers = optimizers
        super().__init__([group for optimizer in optimizers for group in optimizer.param_groups], {})
        # The very groups that the optimizers read, so that a scheduler reaches them.
        self.param_groups = [group for optimizer in optimizers for group in optimizer.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Compute the gradients, if `closure` does so, and move all weights."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The states of all."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""
        for optimizer, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.param_groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]


def _sorted(module: nn.Module, matrices_apart: bool) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Matrices inside the layers (if they are wanted apart), other matrices, vectors."""
    inside: list[Tensor] = []
    weights: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in module.named_parameters():
        if parameter.ndim <= 1:
            others.append(parameter)
        elif matrices_apart and ".layers." in name:
            inside.append(parameter)
        else:
            weights.append(parameter)
    return inside, weights, others
