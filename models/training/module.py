"""What every training has in common: the optimizer and its schedule, when training ends, and its random numbers."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from models.data.dataset import LabelledGraphs
from models.diffusion.randomness import TIME_STREAM, graph_seeds, uniforms
from models.graphs import GraphBatch
from models.training.optimizer import make_optimizer
from models.training.preset import TimeDistortion, TrainingConfig

Batch = GraphBatch | LabelledGraphs
_VALIDATION_SEED = 2**40
_DISTORTIONS: Mapping[TimeDistortion, Callable[[Tensor], Tensor]] = {
    "uniform": lambda u: u,
    "polydec": lambda u: u**2,
    "cubic": lambda u: u**3,
    "early": lambda u: torch.where(u < 0.9, u / 1.8, 5 * u - 4),
    "middle": lambda u: torch.where((u - 0.5).abs() < 0.4, 0.5 + 0.375 * (u - 0.5), 3.5 * u - 2.5 * (u > 0.5)),
}


class TrainingClock:
    """Minutes spent in training, over all the times it was resumed."""

    def __init__(self, kind: str) -> None:
        self._now = time.process_time if kind == "cpu" else time.monotonic
        self._before, self._started = 0.0, self._now()

    def resume_from(self, minutes: float) -> None:
        """Go on counting from `minutes`."""
        self._before, self._started = 60 * minutes, self._now()

    @property
    def minutes(self) -> float:
        """Minutes so far."""
        return (self._before + self._now() - self._started) / 60


class TrainingModule(LightningModule, ABC):
    """A network in training; subclasses define the loss and the evaluation."""

    # -- set-up

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        self.clock = TrainingClock(config.clock)
        self._minutes = 0.0

    def on_train_start(self) -> None:
        self._last_log = (time.monotonic(), self.global_step)

    # -- what subclasses say

    @abstractmethod
    def evaluate(self, batch: Any, batch_index: int, *, prefix: str) -> None:
        """Log how good the network is on a batch, under names that begin with `prefix`."""

    # -- validation step

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """How good the averaged weights are so far. DiGress: `validation_step`, without samples."""
        self.evaluate(batch, batch_index, prefix="validation")
        self.log("validation/minutes", self.clock.minutes, batch_size=len(batch), sync_dist=True)

    # -- test step

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """The same on the test split. DiGress: `test_step`."""
        self.evaluate(batch, batch_index, prefix="test")
        self.log("test/minutes", self.clock.minutes, batch_size=len(batch), sync_dist=True)

    # -- optimizers

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The preset's optimizer with linear warm-up and cosine decay."""
        optimizer = make_optimizer(self, self.config)

        def share(step: int) -> float:
            warmup = min((step + 1) / self.config.warmup_steps, 1.0)
            return warmup * (0.5 + 0.5 * math.cos(math.pi * self.progress))

        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, share), "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clip by norm. Lightning does not with a fused optimizer, because of gradient scaling, which bfloat16 does not need."""
        nn.utils.clip_grad_norm_(self.parameters(), self.config.gradient_clip, foreach=True)

    @property
    def progress(self) -> float:
        """Share of the training that is done: of its steps or of its minutes, whichever is further."""
        by_steps = self.global_step / self.config.max_steps
        by_time = self._minutes / self.config.max_minutes if self.config.max_minutes else 0.0
        return min(max(by_steps, by_time), 1.0)

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        # All processes go by the first one's clock, so that they decay and stop together.
        self._minutes = self.trainer.strategy.broadcast(self.clock.minutes)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        if self.progress >= 1:
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["minutes"] = self.clock.minutes

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clock.resume_from(checkpoint["minutes"])
        self._minutes = self.clock.minutes

    # -- parts of the above

    def training_seeds(self, num_graphs: int) -> Int[Tensor, " b"]:
        """A seed for each graph of this step's batch: a function of the run's seed, the step and the process."""
        first = (self.global_step * self.trainer.world_size + self.trainer.global_rank) * self.config.batch_size
        return graph_seeds(self.config.seed, first + torch.arange(num_graphs, device=self.device))

    def evaluation_seeds(self, batch_index: int, num_graphs: int) -> Int[Tensor, " b"]:
        """A seed for each graph, the same every time."""
        first = _VALIDATION_SEED + batch_index * self.config.batch_size
        return first + torch.arange(num_graphs, device=self.device)

    def time_fractions(self, seeds: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """Random shares of the way from clean to noise, in [0, 1)."""
        fraction = uniforms(
            seeds,
            step=torch.zeros_like(seeds),
            stream=TIME_STREAM,
            positions=torch.zeros(1, dtype=torch.long, device=seeds.device),
        )[:, 0]
        return _DISTORTIONS[self.config.time_distortion](fraction)

    def log_speed(self, num_graphs: int) -> None:
        """Show graphs per second, every few seconds."""
        then, step = self._last_log
        elapsed, steps = time.monotonic() - then, self.global_step - step
        if steps and elapsed > 5:
            self.log(
                "graphs_per_second",
                steps * num_graphs * self.trainer.world_size / elapsed,
                prog_bar=True,
                batch_size=num_graphs,
            )
            self._last_log = (time.monotonic(), self.global_step)
