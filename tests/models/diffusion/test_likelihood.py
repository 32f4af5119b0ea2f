import math

import pytest
import torch

from models.card.config import DiffusionConfig
from models.diffusion.likelihood import LikelihoodBound, likelihood_bound
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from tests.conftest import make_card, make_denoiser, random_graphs


@pytest.fixture(params=["marginal", "uniform", "absorbing"])
def knowing(request: pytest.FixtureRequest) -> Denoiser:
    """A denoiser that is right about graphs whose nodes and pairs are independent: its network still says nothing,
    and its residual is Bayes' rule for each of them alone.
    """
    return Denoiser(make_card(diffusion=DiffusionConfig(num_timesteps=20, prior=request.param))).eval()


def test_the_bound_is_tight_for_a_model_that_is_right(knowing: Denoiser) -> None:
    graph = random_graphs([6])
    draws = 2_000
    many = GraphBatch(*(part.expand(draws, *part.shape[1:]) for part in (graph.nodes, graph.edges, graph.num_nodes)))

    found = likelihood_bound(knowing, many, torch.arange(draws), num_times=19).total

    pairs = graph.edges[0][torch.ones(6, 6).triu(diagonal=1).bool()]
    exact = -knowing.node_marginals[graph.nodes[0]].log().sum() - knowing.edge_marginals[pairs].log().sum()
    error = float(found.std()) / math.sqrt(draws)
    assert abs(float(found.mean() - exact)) < 4 * error
    assert error < 0.02 * exact


def test_fewer_times_give_the_same_sum_on_average(knowing: Denoiser) -> None:
    graphs = random_graphs([5] * 1_000)

    few = likelihood_bound(knowing, graphs, torch.arange(1_000), num_times=2)
    all_of_them = likelihood_bound(knowing, graphs, torch.arange(1_000), num_times=19)

    for part in ("diffusion_nodes", "diffusion_edges"):
        one, other = getattr(few, part), getattr(all_of_them, part)
        error = math.hypot(float(one.std()), float(other.std())) / math.sqrt(1_000)
        assert abs(float(one.mean() - other.mean())) < 4 * error


def test_the_prior_term_is_what_a_short_schedule_leaves() -> None:
    denoiser = make_denoiser(make_card(diffusion=DiffusionConfig(num_timesteps=20)))
    graphs = random_graphs([5, 9])

    bound = likelihood_bound(denoiser, graphs, torch.arange(2), num_times=2)

    torch.testing.assert_close(bound.prior_nodes, torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(bound.prior_edges, torch.zeros(2), atol=1e-5, rtol=0)
    assert (bound.diffusion_edges > 0).all()


def test_neither_padding_nor_batch_mates_change_a_graphs_terms() -> None:
    denoiser = make_denoiser(make_card())
    graphs = random_graphs([3, 9, 6])

    together = likelihood_bound(denoiser, graphs, torch.arange(3), num_times=3)

    for i, size in enumerate((3, 9, 6)):
        one = GraphBatch(
            graphs.nodes[i : i + 1, :size], graphs.edges[i : i + 1, :size, :size], graphs.num_nodes[i : i + 1]
        )
        alone = likelihood_bound(denoiser, one, torch.tensor([i]), num_times=3)
        for part in vars(alone):
            torch.testing.assert_close(getattr(alone, part), getattr(together, part)[i : i + 1], rtol=1e-3, atol=1e-3)


def test_the_total_is_the_sum_of_all_terms() -> None:
    ones = torch.ones(2)

    assert LikelihoodBound(ones, ones, ones, ones, ones, ones).total.tolist() == [6, 6]
