import torch

from models.diffusion.loss import cross_entropy
from models.graphs import GraphLogits
from tests.conftest import make_card, make_denoiser, permute, random_graphs
from tests.models.diffusion.conftest import noisy


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
