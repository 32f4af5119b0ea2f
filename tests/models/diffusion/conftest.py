"""Graphs on their way to noise, and guidance by a tiny network."""

import torch

from models.card.config import GuidanceConfig
from models.diffusion.corruption import corrupt
from models.diffusion.guidance import Guidance
from models.diffusion.randomness import graph_seeds
from models.diffusion.targets import Targets
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from tests.conftest import make_card, make_regressor

CARD = make_card()


def noisy(graph: GraphBatch, t: int, denoiser: Denoiser) -> GraphBatch:
    seeds = graph_seeds(5, torch.arange(len(graph)))
    times = torch.full_like(seeds, t)
    return corrupt(graph, times, seeds, noise=denoiser.noise)


def make_guidance(num_graphs: int, *, estimator: str, scale: float = 3.0, value: float = 2.0) -> Guidance:
    values = torch.tensor([value, -1.5]).expand(num_graphs, -1)
    config = GuidanceConfig.model_validate({"estimator": estimator, "num_proposals": 4, "start": 0.8, "stop": 0.05})
    targets = [Targets(make_regressor(CARD), [0, 1], values)]
    return Guidance(targets, torch.full((num_graphs,), scale), config, num_timesteps=50)
