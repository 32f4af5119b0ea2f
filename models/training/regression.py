"""Training a regressor: predict the properties of the clean graph from a noisy one.

    loss = - Σ_k log p(y_k | z_t, t)        a logistic density each, y in standard deviations

on graphs of which a share is clean and the others are as noisy as a denoiser sees them, so that one network guides
the sampler at every time and predicts the properties of the finished graph.
"""

import torch
from jaxtyping import Int
from torch import Tensor, nn

from models.card.card import ModelCard, RegressorCard
from models.data.dataset import LabelledGraphs
from models.diffusion.corruption import corrupt
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.networks.regressor import Regressor
from models.properties import PropertyDistribution
from models.training.module import TrainingModule
from models.training.preset import RegressorTraining

# Where the error is reported, as fractions of T; beyond, almost nothing can be predicted.
NOISE_LEVELS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6)


class RegressionModule(TrainingModule):
    """Trains one regressor of a card."""

    def __init__(self, card: ModelCard, regressor: RegressorCard, config: RegressorTraining) -> None:
        super().__init__(config)
        self.clean_share = config.clean_share
        self.names = [known.name for known in regressor.properties]
        self.regressor = Regressor(card, regressor)

    def training_step(self, batch: LabelledGraphs, batch_index: int) -> Tensor:
        """Minus the log-density of the properties at a random noise level; a function of the seed and the step."""
        seeds = self.training_seeds(len(batch))
        predicted = self._predict(batch.graphs, self._draw_time(seeds), seeds)
        # In standard deviations: densities of all properties then weigh alike.
        loss = -(predicted.log_density(batch.values) + self.regressor.std.log()).sum(1).mean()
        self.log("train/loss", loss, batch_size=len(batch))
        self.log_speed(len(batch))
        return loss

    def evaluate(self, batch: LabelledGraphs, batch_index: int, *, prefix: str) -> None:
        """Mean absolute errors at fixed noise levels, in the properties' units, with the same noise every time."""
        seeds = self.evaluation_seeds(batch_index, len(batch))
        measured: dict[str, Tensor] = {}
        densities = []
        for level in NOISE_LEVELS:
            t = torch.full_like(seeds, round(level * self.regressor.num_timesteps))
            predicted = self._predict(batch.graphs, t, seeds)
            densities.append((predicted.log_density(batch.values) + self.regressor.std.log()).sum(1).mean())
            errors = (predicted.location - batch.values).abs().mean(0)
            measured |= {error_name(prefix, name, level): error for name, error in zip(self.names, errors, strict=True)}
            measured[f"{prefix}/loss_at_{level}"] = -densities[-1]
        measured[f"{prefix}/loss"] = -torch.stack(densities).mean()
        self.log_dict(measured, batch_size=len(batch), sync_dist=True)

    def start_from(self, denoiser: Denoiser) -> None:
        """Take over the denoiser's weights wherever names and shapes agree."""
        own = self.regressor.state_dict()
        shared = {
            name: tensor
            for name, tensor in denoiser.state_dict().items()
            if name in own and own[name].shape == tensor.shape
        }
        self.regressor.load_state_dict(own | shared)

    def _draw_time(self, seeds: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """0 for a share of the graphs, 1 to T for the others."""
        fraction = self.time_fractions(seeds)
        clean = torch.arange(len(seeds), device=seeds.device) < self.clean_share * len(seeds)
        return (1 + (fraction * self.regressor.num_timesteps).long()).masked_fill(clean, 0)

    def _predict(self, clean: GraphBatch, t: Int[Tensor, " b"], seeds: Int[Tensor, " b"]) -> PropertyDistribution:
        predicted: PropertyDistribution = self.regressor(corrupt(clean, t, seeds, noise=self.regressor.noise), t)
        return predicted


def error_name(prefix: str, name: str, level: float) -> str:
    """What the mean absolute error of a property at a noise level is logged as."""
    return f"{prefix}/mae_{name}_at_{level}"


def regressor_of(module: nn.Module) -> Regressor:
    """The regressor inside a (possibly averaged) `RegressionModule`."""
    if not isinstance(module, RegressionModule):
        raise TypeError(f"expected a RegressionModule, not {type(module).__name__}")
    return module.regressor
