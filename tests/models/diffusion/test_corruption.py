import pytest
import torch

from models.card.config import DiffusionConfig
from models.diffusion.corruption import corrupt
from models.diffusion.loss import cross_entropy
from models.diffusion.randomness import graph_seeds
from models.graphs import GraphBatch, GraphLogits
from models.networks.denoiser import Denoiser
from tests.conftest import make_card, make_denoiser, permute, random_graphs


def noisy(graph: GraphBatch, t: int, denoiser: Denoiser) -> GraphBatch:
    seeds = graph_seeds(5, torch.arange(len(graph)))
    times = torch.full_like(seeds, t)
    return corrupt(graph, times, seeds, noise=denoiser.noise)


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


def test_the_loss_does_not_change_when_nodes_are_renamed() -> None:
    """DiGress, Lemma 3.2: the loss is invariant to permutations of nodes."""
    denoiser, clean = make_denoiser(make_card()), random_graphs([9] * 4)
    z_t = noisy(clean, 20, denoiser)
    order = torch.stack([torch.randperm(9, generator=torch.Generator().manual_seed(i)) for i in range(4)])
    t = torch.full((4,), 20)

    before = cross_entropy(denoiser(z_t, t), clean)
    after = cross_entropy(denoiser(permute(z_t, order), t), permute(clean, order))

    torch.testing.assert_close(after.nodes, before.nodes)
    torch.testing.assert_close(after.edges, before.edges)


def test_the_loss_counts_real_elements_once_and_padding_never() -> None:
    clean = random_graphs([3], max_nodes=6)
    logits = GraphLogits(torch.randn(1, 6, 4), torch.randn(1, 6, 6, 3))
    logits = GraphLogits(logits.nodes, logits.edges + logits.edges.transpose(1, 2))

    loss = cross_entropy(logits, clean)

    node_terms = [-logits.nodes[0, i].log_softmax(-1)[clean.nodes[0, i]] for i in range(3)]
    pairs = [(0, 1), (0, 2), (1, 2)]
    edge_terms = [-logits.edges[0, i, j].log_softmax(-1)[clean.edges[0, i, j]] for i, j in pairs]
    torch.testing.assert_close(loss.nodes, torch.stack(node_terms).mean())
    torch.testing.assert_close(loss.edges, torch.stack(edge_terms).mean())
    torch.testing.assert_close(loss.total(5.0), loss.nodes + 5 * loss.edges)


def test_a_graph_without_pairs_has_a_finite_loss() -> None:
    loss = cross_entropy(GraphLogits(torch.zeros(1, 1, 4), torch.zeros(1, 1, 1, 3)), random_graphs([1]))

    assert loss.edges == 0
    assert loss.nodes.isfinite()
