"""The LightningModule: what is learned from a batch, how it is judged, and how the weights move."""

import math
import time
from typing import Any

import torch
from jaxtyping import Int
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from models.card import ModelCard
from models.diffusion.corruption import corrupt
from models.diffusion.loss import CrossEntropy, cross_entropy
from models.diffusion.randomness import TIME_STREAM, graph_seeds, uniforms
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.training.preset import TrainingConfig

# Where validation looks, as fractions of T: most is still to be learned near the clean graph.
NOISE_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
_VALIDATION_SEED = 2**40


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


class DiffusionModule(LightningModule):
    """Trains the denoiser of a card to tell the clean graph from a noisy one."""

    # -- set-up

    def __init__(self, card: ModelCard, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        self.denoiser = Denoiser(card)
        self.clock = TrainingClock(config.clock)
        self._minutes = 0.0

    def on_train_start(self) -> None:
        self._last_log = (time.monotonic(), self.global_step)

    # -- training step

    def training_step(self, batch: GraphBatch, batch_index: int) -> Tensor:
        """The loss on each graph of the batch at a random noise level; a function of the seed and the step."""
        first = (self.global_step * self.trainer.world_size + self.trainer.global_rank) * self.config.batch_size
        seeds = graph_seeds(self.config.seed, first + torch.arange(len(batch), device=self.device))
        loss = self._loss(batch, self._draw_time(seeds), seeds)
        total = loss.total(self.config.edge_weight)
        self.log_dict({"train/node_loss": loss.nodes, "train/edge_loss": loss.edges}, batch_size=len(batch))
        self._log_speed(len(batch))
        return total

    # -- validation step

    def validation_step(self, batch: GraphBatch, batch_index: int) -> None:
        """Cross-entropies at fixed noise levels, with the same noise every time."""
        self._evaluate(batch, batch_index, prefix="validation")

    # -- test step

    def test_step(self, batch: GraphBatch, batch_index: int) -> None:
        """The same on the test split."""
        self._evaluate(batch, batch_index, prefix="test")

    # -- optimizers

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW (no decay of biases and norms) with linear warm-up and cosine decay."""
        weights = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        optimizer = AdamW(
            [{"params": weights, "weight_decay": self.config.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=self.config.learning_rate,
            fused=True,
        )

        def share(step: int) -> float:
            warmup = min((step + 1) / self.config.warmup_steps, 1.0)
            return warmup * (0.5 + 0.5 * math.cos(math.pi * self.progress))

        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, share), "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clip by norm ourselves: Lightning refuses to beside a fused optimizer, for the sake of a scaler that bf16 has not."""
        nn.utils.clip_grad_norm_(self.parameters(), self.config.gradient_clip, foreach=True)

    @property
    def progress(self) -> float:
        """Share of the training that is done: of its steps or of its minutes, whichever is further."""
        by_steps = self.global_step / self.config.max_steps
        by_time = self._minutes / self.config.max_minutes if self.config.max_minutes else 0.0
        return min(max(by_steps, by_time), 1.0)

    def on_train_batch_start(self, batch: GraphBatch, batch_index: int) -> None:
        # All processes go by the first one's clock, so that they decay and stop together.
        self._minutes = self.trainer.strategy.broadcast(self.clock.minutes)

    def on_train_batch_end(self, outputs: Any, batch: GraphBatch, batch_index: int) -> None:
        if self.progress >= 1:
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["minutes"] = self.clock.minutes

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clock.resume_from(checkpoint["minutes"])
        self._minutes = self.clock.minutes

    # -- parts of the above

    def _draw_time(self, seeds: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """Times from min_timestep to T; never 0, where there is nothing to learn."""
        fraction = uniforms(
            seeds,
            step=torch.zeros_like(seeds),
            stream=TIME_STREAM,
            positions=torch.zeros(1, dtype=torch.long, device=seeds.device),
        )[:, 0]
        if self.config.time_distortion == "polydec":
            fraction = fraction.square()
        first, last = self.denoiser.min_timestep, self.denoiser.num_timesteps
        return first + (fraction * (last - first + 1)).long()

    def _loss(self, clean: GraphBatch, t: Int[Tensor, " b"], seeds: Int[Tensor, " b"]) -> CrossEntropy:
        noisy = corrupt(clean, t, seeds, node_noise=self.denoiser.node_noise, edge_noise=self.denoiser.edge_noise)
        return cross_entropy(self.denoiser(noisy, t), clean)

    def _evaluate(self, batch: GraphBatch, batch_index: int, *, prefix: str) -> None:
        first = _VALIDATION_SEED + batch_index * self.config.batch_size
        seeds = first + torch.arange(len(batch), device=self.device)
        losses = {}
        for level in NOISE_LEVELS:
            t = torch.full_like(seeds, round(level * self.denoiser.num_timesteps))
            loss = self._loss(batch, t, seeds)
            losses[f"{prefix}/node_loss_at_{level}"] = loss.nodes
            losses[f"{prefix}/edge_loss_at_{level}"] = loss.edges
            losses[f"{prefix}/loss_at_{level}"] = loss.total(self.config.edge_weight)
        losses[f"{prefix}/loss"] = torch.stack([losses[f"{prefix}/loss_at_{level}"] for level in NOISE_LEVELS]).mean()
        self.log_dict(losses, batch_size=len(batch), sync_dist=True)
        self.log(f"{prefix}/minutes", self.clock.minutes, batch_size=len(batch), sync_dist=True)

    def _log_speed(self, num_graphs: int) -> None:
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


def denoiser_of(module: nn.Module) -> Denoiser:
    """The denoiser inside a (possibly averaged) `DiffusionModule`."""
    if not isinstance(module, DiffusionModule):
        raise TypeError(f"expected a DiffusionModule, not {type(module).__name__}")
    return module.denoiser
