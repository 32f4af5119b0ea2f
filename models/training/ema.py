"""The exponential moving average of the weights, which is what gets validated, shipped and sampled from.

    average ← d · average + (1 - d) · weights,    d = min(decay, (1 + n) / (10 + n)) after n updates

The growing decay keeps the random first weights from lingering (as in TensorFlow's ExponentialMovingAverage).
Lightning's callback keeps both sets of weights in its checkpoints.
"""

from typing import cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from models.training.module import TrainingModule


class ExponentialMovingAverage(WeightAveraging):
    """Averages after every optimizer step; validation sees the average."""

    def __init__(self, decay: float) -> None:
        @torch.no_grad()
        def update(averages: list[Tensor], weights: list[Tensor], num_averaged: Tensor) -> None:
            step = float(num_averaged)
            torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + step) / (10 + step)))

        super().__init__(use_buffers=False, multi_avg_fn=update)
        self._swapped = False

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_start(trainer, pl_module)
        self._swapped = True

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_end(trainer, pl_module)
        self._swapped = False

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Stopped in the middle of a validation, put each set of weights back before the state is saved."""
        if self._swapped:
            self._swap_models(pl_module)
            self._swapped = False

    @property
    def average(self) -> TrainingModule:
        """The averaged module; only while training."""
        if self._average_model is None:
            raise RuntimeError("there is no average before training has begun")
        return cast(TrainingModule, self._average_model.module)
