"""How gradients move weights: AdamW, or Muon for the matrices inside the layers and AdamW for the rest.

Muon takes each matrix's momentum to about the nearest orthogonal one, so that all directions move alike:

    M ← μ M + (1 - μ) G,    W ← (1 - η λ) W - η √max(1, rows / columns) · orthogonal((1 - μ) G + μ M)

with the orthogonal factor found by five rounds of X ← a X + (b X Xᵀ + c (X Xᵀ)²) X. This is `torch.optim.Muon`, except that it computes
in bfloat16 only where that is native: emulated, it took two thirds of a training step.

References:
    Loshchilov & Hutter 2019, Decoupled weight decay regularization, arXiv:1711.05101 (AdamW)
    Jordan et al. 2024, Muon, and Liu et al. 2025, Muon is scalable for LLM training, arXiv:2502.16982
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from models.compute.precision import has_native_bfloat16
from models.training.preset import TrainingConfig

_MOMENTUM = 0.95
_ROUNDS, _COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)


def make_optimizer(module: nn.Module, config: TrainingConfig) -> Optimizer:
    """The optimizer of a preset; biases and norms do not decay."""
    inside, weights, others = _parameter_groups(module, config.optimizer == "muon")
    adam = AdamW(
        [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.learning_rate,
        fused=True,
    )
    if not inside:
        return adam
    return CombinedOptimizer(Muon(inside, lr=config.matrix_learning_rate, weight_decay=config.weight_decay), adam)


class Muon(Optimizer):
    """The rule above for matrices; those of one shape are computed together."""

    def __init__(self, matrices: Iterable[Tensor], *, lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Compute the gradients, if `closure` does so, and move all weights that have one."""
        loss = _gradients(closure)
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for shape, matrices in alike.items():
                updates = orthogonal(torch.stack([self._nesterov_momentum(matrix) for matrix in matrices]))
                for matrix, update in zip(matrices, updates.to(matrices[0].dtype), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-group["lr"] * math.sqrt(max(1, shape[0] / shape[1])))
        return loss

    def _nesterov_momentum(self, matrix: Tensor) -> Tensor:
        """The gradient with momentum, looking ahead."""
        if "momentum_buffer" not in self.state[matrix]:
            self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
        momentum = self.state[matrix]["momentum_buffer"].lerp_(matrix.grad, 1 - _MOMENTUM)
        ahead: Tensor = matrix.grad.lerp(momentum, _MOMENTUM)  # type: ignore[union-attr]
        return ahead


def orthogonal(matrices: Float[Tensor, "b r c"]) -> Float[Tensor, "b r c"]:
    """Near the orthogonal factor of each: singular values between about .7 and 1.2."""
    x = matrices.bfloat16() if has_native_bfloat16(matrices.device) else matrices
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class CombinedOptimizer(Optimizer):
    """Optimizers of different weights as one."""

    def __init__(self, *optimizers: Optimizer) -> None:
        self.optimizers = optimizers
        super().__init__([group for optimizer in optimizers for group in optimizer.param_groups], {})
        # The very groups that the optimizers read, so that a scheduler reaches them.
        self.param_groups = [group for optimizer in optimizers for group in optimizer.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Compute the gradients, if `closure` does so, and move all weights."""
        loss = _gradients(closure)
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


def _gradients(closure: Callable[[], Any] | None) -> Any:
    """The loss, if `closure` computes it and the gradients with it."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def _parameter_groups(module: nn.Module, matrices_apart: bool) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
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
