"""Graphs with wanted properties: what `models.generation` asks when a plan has targets.

sizes       by Bayes' rule, p(n | y) ∝ p(n) p(y | n), where p(y | n) is what the regressors predict for pure noise of n nodes
guidance    at every step, by `models.diffusion.guidance`
candidates  the drawn graph that is expected nearest to the targets is kept (`models.candidates`), a valid molecule before any other
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import Estimator, GuidanceConfig
from models.checkpoint import LoadedModel
from models.diffusion.guidance import Guidance
from models.diffusion.sampler import draw_prior
from models.diffusion.targets import Targets
from models.graphs import GraphBatch
from models.molecules import canonical_smiles, to_molecule
from models.networks.denoiser import Denoiser
from models.properties import PropertyDistribution

_PRIOR_DRAWS = 16
# Σ n² of the noise that goes through the regressors at once.
_PRIOR_COST = 32_768


@dataclass(frozen=True)
class Goal:
    """What the graphs of a plan should be like: property -> value in its own unit, for all graphs or one for each."""

    targets: Mapping[str, float | Sequence[float]]
    estimator: Estimator
    scale: float
    candidates: int = 1


@dataclass(frozen=True)
class PredictedProperties:
    """What the regressors predict for finished graphs, and the error that they expect."""

    values: Mapping[str, Float[Tensor, " b"]]
    errors: Mapping[str, Float[Tensor, " b"]]


class Steering:
    """A goal, and the regressors of a model that lead to it."""

    def __init__(self, model: LoadedModel, goal: Goal, *, num_graphs: int, grid: Sequence[int]) -> None:
        card = model.card
        self._all_alike = all(isinstance(target, int | float) for target in goal.targets.values())
        self.card, self.regressors, self.goal = card, model.regressors, goal
        self._config = _guidance_for(grid, card, goal.estimator)
        guides = [described for described in card.regressors if described.role == "guide"]
        self._names = [[known.name for known in described.properties] for described in guides]
        self._targets = []
        for regressor, names in zip(model.regressors, self._names, strict=True):
            wanted = [name for name in names if name in goal.targets]
            if wanted:
                columns = [torch.tensor(goal.targets[name], dtype=torch.float32).expand(num_graphs) for name in wanted]
                values = torch.stack(columns, dim=1).to(regressor.mean.device)
                self._targets.append(Targets(regressor, [names.index(name) for name in wanted], values))

    @property
    def kind(self) -> Hashable:
        """Graphs with goals of one kind can be steered in one batch."""
        config = self._config
        return config.estimator, config.num_proposals, config.start, config.stop, frozenset(self.goal.targets)

    def guidance(self, indices: Int[Tensor, " b"]) -> Guidance:
        """The guidance of the plan's graphs number `indices`."""
        return Guidance(
            [targets[indices] for targets in self._targets],
            torch.full((len(indices),), self.goal.scale, device=indices.device),
            self._config,
            num_timesteps=self.card.diffusion.num_timesteps,
        )

    def size_likelihood(self, denoiser: Denoiser, sizes: Sequence[int]) -> Float[Tensor, "b sizes"]:
        """p(y | n) of every graph's targets for each size, up to a factor; raised to λ where that is less than one.

        One row stands for all graphs if they have the same targets.
        """
        sizes_at_once = max(1, _PRIOR_COST // (_PRIOR_DRAWS * max(sizes) ** 2))
        parts = [
            self._log_likelihood(denoiser, sizes[start : start + sizes_at_once])
            for start in range(0, len(sizes), sizes_at_once)
        ]
        log_density = torch.cat(parts, dim=1)
        return (min(self.goal.scale, 1.0) * (log_density - log_density.amax(1, keepdim=True))).exp()

    def _log_likelihood(self, denoiser: Denoiser, sizes: Sequence[int]) -> Float[Tensor, "b sizes"]:
        device = denoiser.noise.alpha_bar.device
        num_nodes = torch.tensor(sizes, device=device).repeat_interleave(_PRIOR_DRAWS)
        noise = draw_prior(denoiser, num_nodes, torch.arange(len(num_nodes), device=device), max_nodes=max(sizes))
        last = torch.full_like(num_nodes, denoiser.num_timesteps)
        log_density = torch.zeros(1, len(sizes), device=device)
        for targets in self._targets:
            predicted = targets.predicted(noise, last)
            wanted = targets.values[:1] if self._all_alike else targets.values
            by_draw = predicted.log_density(wanted[:, None]).sum(-1)
            log_density = log_density + by_draw.view(-1, len(sizes), _PRIOR_DRAWS).logsumexp(2)
        return log_density

    def predict(self, graphs: GraphBatch) -> PredictedProperties:
        """All properties that the model's regressors predict, of finished graphs."""
        now = torch.zeros_like(graphs.num_nodes)
        values: dict[str, Tensor] = {}
        errors: dict[str, Tensor] = {}
        for regressor, names in zip(self.regressors, self._names, strict=True):
            predicted: PropertyDistribution = regressor(graphs, now)
            values |= dict(zip(names, predicted.location.unbind(1), strict=True))
            errors |= dict(zip(names, predicted.mean_absolute_deviation.unbind(1), strict=True))
        return PredictedProperties(values, errors)

    def distance(self, graphs: GraphBatch, indices: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """The expected distance of finished graphs from the targets; `indices` are their numbers in the plan."""
        now = torch.zeros_like(graphs.num_nodes)
        distance = torch.zeros(len(graphs), device=now.device)
        for targets in self._targets:
            distance = distance + targets[indices].expected_error(graphs, now)
        if self.card.domain == "molecule":
            # Larger than any distance: a valid molecule far off is of more use than an invalid one near by.
            distance = distance + 1e6 * torch.tensor(self._defects(graphs), device=now.device)
        return distance

    def _defects(self, graphs: GraphBatch) -> list[float]:
        """0 for a connected molecule, 1 for one in several pieces, 2 for an invalid one."""
        defects = []
        for types, bonds in graphs.labelled(self.card.node_types, self.card.edge_types):
            smiles = canonical_smiles(to_molecule(types, bonds, hydrogens_are_drawn=self.card.hydrogens_are_drawn))
            defects.append(2.0 if smiles is None else float("." in smiles))
        return defects


def _guidance_for(grid: Sequence[int], card: ModelCard, estimator: Estimator) -> GuidanceConfig:
    """The card's guidance by an estimator, adapted to a grid of times."""
    config = card.guidance.model_copy(update={"estimator": estimator})
    shares = [t / card.diffusion.num_timesteps for t in grid[1:-1]]
    if any(config.stop <= share <= config.start for share in shares):
        return config
    # One step crosses the whole window: it is better to guide at all steps than at none.
    return config.model_copy(update={"start": 1.0, "stop": 0.0})
