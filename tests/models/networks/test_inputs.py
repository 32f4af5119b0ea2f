import torch

from models.card.config import DiffusionConfig, FeatureConfig
from models.features.feature import Widths
from models.graphs import GraphBatch
from tests.conftest import make_card, make_denoiser, random_graphs

FEATURES = FeatureConfig(random_walk_powers=2, cycles=True, molecular=True)


def test_inputs_are_as_wide_as_they_say() -> None:
    denoiser, graph = make_denoiser(make_card(features=FEATURES)), random_graphs([9, 4])
    one_hot = denoiser.noise.one_hot(graph)

    parts = denoiser.inputs(one_hot.nodes, one_hot.edges, graph, t=torch.tensor([3, 30]), noise=denoiser.noise)

    assert Widths(*(part.shape[-1] for part in parts)) == denoiser.inputs.widths


def test_a_masked_pair_is_no_neighbour() -> None:
    card = make_card(features=FEATURES, diffusion=DiffusionConfig(prior="absorbing", num_timesteps=50))
    denoiser = make_denoiser(card)
    masked = 3 * (1 - torch.eye(3, dtype=torch.long))[None]
    graph = GraphBatch(torch.zeros(1, 3, dtype=torch.long), masked, torch.tensor([3]))
    one_hot = denoiser.noise.one_hot(graph)

    nodes, _, _ = denoiser.inputs(one_hot.nodes, one_hot.edges, graph, t=torch.tensor([40]), noise=denoiser.noise)

    degree = nodes[..., one_hot.nodes.shape[-1]]
    assert not degree.any()
