import pytest
import torch

from models.card.config import DiffusionConfig
from tests.conftest import make_card, make_denoiser, random_graphs
from tests.models.diffusion.conftest import noisy


@pytest.mark.parametrize("prior", ["uniform", "marginal", "absorbing"])
def test_a_corrupted_graph_is_a_graph(prior: str) -> None:
    denoiser = make_denoiser(make_card(diffusion=DiffusionConfig.model_validate({"prior": prior, "num_timesteps": 50})))

    z_t = noisy(random_graphs([1, 4, 9]), 30, denoiser)

    assert torch.equal(z_t.edges, z_t.edges.mT)
    assert not z_t.edges[~z_t.edge_mask].any()
    assert not z_t.nodes[~z_t.node_mask].any()


def test_corrupting_for_no_time_changes_nothing_and_for_all_time_leaves_the_prior() -> None:
    denoiser = make_denoiser(make_card())
    graph = random_graphs([9] * 2_000)

    untouched, lost = noisy(graph, 0, denoiser), noisy(graph, 50, denoiser)

    assert torch.equal(untouched.nodes, graph.nodes)
    assert torch.equal(untouched.edges, graph.edges)
    frequencies = torch.bincount(lost.nodes.flatten(), minlength=4) / lost.nodes.numel()
    torch.testing.assert_close(frequencies, denoiser.noise.nodes.prior.float(), atol=0.02, rtol=0)


def test_the_absorbing_state_is_the_only_thing_left_in_the_end() -> None:
    denoiser = make_denoiser(make_card(diffusion=DiffusionConfig(prior="absorbing", num_timesteps=50)))

    lost = noisy(random_graphs([9] * 10), 50, denoiser)

    assert (lost.nodes == 4).all()
    assert (lost.edges[lost.edge_mask] == 3).all()
