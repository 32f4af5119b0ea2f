"""Training the denoiser: predict the clean graph from a noisy one, at a random time.

With `training.given` a random part of each graph is given (`models.training.given`): clean at every t, and left out of the loss.
"""

import torch
from jaxtyping import Int
from torch import Tensor, nn

from models.card.card import ModelCard
from models.diffusion.context import NO_CONTEXT, Context
from models.diffusion.corruption import corrupt
from models.diffusion.loss import CrossEntropy, cross_entropy
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.training.given import draw_given
from models.training.module import TrainingModule
from models.training.preset import DenoiserTraining

# Where validation looks, as fractions of T: most is still to be learned near the clean graph.
NOISE_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
# And where it looks at what is left to learn when something is given.
_LEVELS_WITH_GIVEN = (0.1, 0.3)


class DiffusionModule(TrainingModule):
    """Trains the denoiser of a card to predict the clean graph from a noisy one."""

    def __init__(self, card: ModelCard, config: DenoiserTraining) -> None:
        super().__init__(config)
        self.edge_weight = config.edge_weight
        self.gives = config.given
        self.denoiser = Denoiser(card)

    def training_step(self, batch: GraphBatch, batch_index: int) -> Tensor:
        """The loss on each graph of the batch at a random noise level; a function of the seed and the step.

        DiGress: `training_step`, Algorithm 1.
        """
        seeds = self.training_seeds(len(batch))
        context = Context(draw_given(batch, seeds)) if self.gives else NO_CONTEXT
        loss = self._loss(batch, self._draw_time(seeds), seeds, context)
        self.log_dict({"train/node_loss": loss.nodes, "train/edge_loss": loss.edges}, batch_size=len(batch))
        self.log_speed(len(batch))
        return loss.total(self.edge_weight)

    def evaluate(self, batch: GraphBatch, batch_index: int, *, prefix: str) -> None:
        """Cross-entropies at fixed noise levels, with the same noise every time."""
        seeds = self.evaluation_seeds(batch_index, len(batch))
        losses = {}
        for level in NOISE_LEVELS:
            t = torch.full_like(seeds, round(level * self.denoiser.num_timesteps))
            loss = self._loss(batch, t, seeds)
            losses[f"{prefix}/node_loss_at_{level}"] = loss.nodes
            losses[f"{prefix}/edge_loss_at_{level}"] = loss.edges
            losses[f"{prefix}/loss_at_{level}"] = loss.total(self.edge_weight)
        for level in _LEVELS_WITH_GIVEN if self.gives else ():
            t = torch.full_like(seeds, round(level * self.denoiser.num_timesteps))
            loss = self._loss(batch, t, seeds, Context(draw_given(batch, seeds)))
            losses[f"{prefix}/loss_with_given_at_{level}"] = loss.total(self.edge_weight)
        losses[f"{prefix}/loss"] = torch.stack([losses[f"{prefix}/loss_at_{level}"] for level in NOISE_LEVELS]).mean()
        self.log_dict(losses, batch_size=len(batch), sync_dist=True)

    def _draw_time(self, seeds: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """Times from min_timestep to T; never 0, where there is nothing to learn."""
        first, last = self.denoiser.min_timestep, self.denoiser.num_timesteps
        return first + (self.time_fractions(seeds) * (last - first + 1)).long()

    def _loss(
        self, clean: GraphBatch, t: Int[Tensor, " b"], seeds: Int[Tensor, " b"], context: Context = NO_CONTEXT
    ) -> CrossEntropy:
        noisy = corrupt(clean, t, seeds, noise=self.denoiser.noise)
        if context.given:
            noisy = context.given.put_into(noisy)
        return cross_entropy(self.denoiser(noisy, t, context=context), clean, context.given)


def denoiser_of(module: nn.Module) -> Denoiser:
    """The denoiser inside a (possibly averaged) `DiffusionModule`."""
    if not isinstance(module, DiffusionModule):
        raise TypeError(f"expected a DiffusionModule, not {type(module).__name__}")
    return module.denoiser
