import pytest
import torch

from models.card.config import DiffusionConfig
from models.diffusion.corruption import corrupt
from models.diffusion.graph_noise import GraphNoise
from models.diffusion.noise import CategoricalNoise
from models.graphs import GraphDistribution
from tests.conftest import make_card, random_graphs


@pytest.fixture(params=["uniform", "marginal", "absorbing"])
def noise(request: pytest.FixtureRequest) -> GraphNoise:
    return GraphNoise.of(make_card(diffusion=DiffusionConfig(prior=request.param, num_timesteps=50)))


def test_every_operation_is_that_of_nodes_and_that_of_edges(noise: GraphNoise) -> None:
    clean, s, t = random_graphs([9, 5]), torch.tensor([3, 10]), torch.tensor([20, 49])
    z_t = corrupt(clean, t, torch.arange(2), noise=noise)  # one that can be reached, so that there is a posterior
    x = noise.one_hot(clean)

    corrupted, past, onwards = noise.corrupt(clean, t), noise.posterior(x, z_t, s=s, t=t), noise.transition(s, t)

    assert torch.equal(corrupted.nodes, noise.nodes.corrupt(clean.nodes, t))
    assert torch.equal(corrupted.edges, noise.edges.corrupt(clean.edges, t))
    assert torch.equal(noise.corrupt_probs(x, t).edges, corrupted.edges)
    assert torch.equal(past.nodes, noise.nodes.posterior(x.nodes, z_t.nodes, s=s, t=t))
    assert torch.equal(past.edges, noise.edges.posterior(x.edges, z_t.edges, s=s, t=t))
    assert torch.equal(onwards[0], noise.nodes.transition(s, t))
    assert torch.equal(onwards[1], noise.edges.transition(s, t))


def test_the_prior_is_what_is_left_at_the_last_timestep(noise: GraphNoise) -> None:
    clean = random_graphs([9, 5])

    prior, last = noise.prior(2, 9), noise.corrupt(clean, torch.tensor([50, 50]))

    torch.testing.assert_close(last.nodes, prior.nodes, atol=1e-6, rtol=0)
    torch.testing.assert_close(last.edges, prior.edges, atol=1e-6, rtol=0)


def test_the_mask_state_has_no_probability_in_a_clean_graph(noise: GraphNoise) -> None:
    card = make_card()
    probs = GraphDistribution(
        torch.full((1, 4, len(card.node_types)), 1 / len(card.node_types)),
        torch.full((1, 4, 4, len(card.edge_types)), 1 / len(card.edge_types)),
    )

    states = noise.over_states(probs)

    assert states.nodes.shape[-1] == len(noise.nodes.prior)
    torch.testing.assert_close(states.nodes.sum(-1), torch.ones(1, 4))
    assert not states.edges[..., len(card.edge_types) :].any()


def test_nodes_and_edges_have_one_time() -> None:
    one, other = (CategoricalNoise(torch.linspace(1, 0.1, steps), torch.tensor([0.5, 0.5])) for steps in (11, 21))

    with pytest.raises(ValueError, match="10 timesteps, and edges 20"):
        GraphNoise(one, other)
