import pytest
import torch

from models.card.config import FeatureConfig, NetworkConfig
from models.compute.precision import autocast, has_native_bfloat16
from models.graphs import GraphBatch, GraphLogits
from models.networks.denoiser import Denoiser
from tests.conftest import concatenate, make_card, make_denoiser, pad_to, permute, random_graphs, tiny_network

CONFIGS = [
    tiny_network(edge_attention=attention, edge_layout=layout, residual=residual)
    for attention in ("head", "channel")
    for layout in ("pairs", "matrix")
    for residual in ("posterior", "one_hot")
] + [tiny_network(triangle_width=4, edge_layout=layout) for layout in ("pairs", "matrix")]
CARDS = {
    **{f"{c.edge_attention}-{c.edge_layout}-{c.residual}-{c.triangle_width}": make_card(network=c) for c in CONFIGS},
    "all features": make_card(
        features=FeatureConfig(
            random_walk_powers=4, cycles=True, six_cycles=True, eigenvalues=3, resistance=True, molecular=True
        )
    ),
}


@pytest.fixture(params=CARDS.values(), ids=list(CARDS))
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    return make_denoiser(request.param)


def times(graph: GraphBatch) -> torch.Tensor:
    return torch.arange(len(graph)) * 7 % 50 + 1


def assert_same(found: GraphLogits, expected: GraphLogits, graph: GraphBatch) -> None:
    torch.testing.assert_close(found.nodes[graph.node_mask], expected.nodes[graph.node_mask], atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(found.edges[graph.edge_mask], expected.edges[graph.edge_mask], atol=2e-4, rtol=1e-4)


@torch.no_grad()
def test_renaming_nodes_renames_the_prediction(denoiser: Denoiser) -> None:
    """DiGress, Lemma 3.1: the network is equivariant to permutations of nodes."""
    graph = random_graphs([9, 9, 9])
    order = torch.stack([torch.randperm(9, generator=torch.Generator().manual_seed(i)) for i in range(3)])

    before, after = denoiser(graph, times(graph)), denoiser(permute(graph, order), times(graph))

    rows = torch.arange(3)[:, None]
    renamed = GraphLogits(
        before.nodes[rows, order], before.edges[rows[:, :, None], order[:, :, None], order[:, None, :]]
    )
    assert_same(after, renamed, graph)


@torch.no_grad()
def test_padding_does_not_change_a_graph(denoiser: Denoiser) -> None:
    graph = random_graphs([1, 2, 5, 9])

    alone, beside = denoiser(graph, times(graph)), denoiser(pad_to(graph, 14), times(graph))

    assert_same(GraphLogits(beside.nodes[:, :9], beside.edges[:, :9, :9]), alone, graph)


@torch.no_grad()
def test_what_stands_in_the_padding_does_not_change_a_graph(denoiser: Denoiser) -> None:
    graph = random_graphs([5, 3], max_nodes=8)
    noise = random_graphs([8, 8], seed=9)
    dirty = GraphBatch(
        torch.where(graph.node_mask, graph.nodes, noise.nodes),
        torch.where(graph.edge_mask, graph.edges, noise.edges),
        graph.num_nodes,
    )

    assert_same(denoiser(dirty, times(graph)), denoiser(graph, times(graph)), graph)


@torch.no_grad()
def test_batch_mates_do_not_change_a_graph(denoiser: Denoiser) -> None:
    graph, mates = random_graphs([6, 9]), random_graphs([9, 4, 1], seed=3)
    both = concatenate(graph, mates)

    alone, beside = denoiser(graph, times(graph)), denoiser(both, times(both))

    assert_same(GraphLogits(beside.nodes[:2], beside.edges[:2]), alone, graph)


@torch.no_grad()
def test_edges_are_predicted_alike_in_both_directions(denoiser: Denoiser) -> None:
    graph = random_graphs([9, 5])

    edges = denoiser(graph, times(graph)).edges

    torch.testing.assert_close(edges, edges.transpose(1, 2))


def test_a_single_node_has_finite_predictions_and_gradients(denoiser: Denoiser) -> None:
    graph = random_graphs([1])

    logits = denoiser(graph, times(graph))
    logits.nodes.sum().backward()

    assert logits.nodes.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in denoiser.parameters())


@torch.no_grad()
def test_a_new_network_with_the_posterior_residual_is_bayes_rule_for_single_elements() -> None:
    denoiser = Denoiser(make_card())
    graph, t = random_graphs([9]), torch.tensor([20])

    probs = denoiser(graph, t).softmax()

    likelihood = denoiser.noise.nodes.transition(torch.tensor([0]), t)[0][:, graph.nodes[0]].T.float()
    joint = likelihood * torch.tensor([0.6, 0.2, 0.15, 0.05])
    torch.testing.assert_close(probs.nodes[0], joint / joint.sum(-1, keepdim=True))


@pytest.mark.parametrize("prior", ["uniform", "marginal", "absorbing"])
@torch.no_grad()
def test_predictions_are_over_the_vocabulary_whatever_the_prior(prior: str) -> None:
    card = make_card()
    card = card.model_copy(update={"diffusion": card.diffusion.model_copy(update={"prior": prior})})

    logits = make_denoiser(card)(random_graphs([9]), torch.tensor([50]))

    assert logits.nodes.shape == (1, 9, 4)
    assert logits.edges.shape == (1, 9, 9, 3)


@pytest.mark.parametrize(
    "features",
    [
        FeatureConfig(random_walk_powers=0, cycles=False, molecular=False),
        FeatureConfig(random_walk_powers=3, cycles=False, molecular=True),
    ],
)
@torch.no_grad()
def test_features_can_be_left_out(features: FeatureConfig) -> None:
    logits = make_denoiser(make_card(features=features))(random_graphs([9]), torch.tensor([5]))

    assert logits.nodes.isfinite().all()


def test_a_network_can_be_trained_after_it_was_sampled_from() -> None:
    denoiser, graph = make_denoiser(make_card()), random_graphs([7])
    with torch.inference_mode():
        denoiser(graph, torch.tensor([3]))

    denoiser(graph, torch.tensor([3])).edges.sum().backward()

    assert denoiser.edge_head.linear.weight.grad is not None


@pytest.mark.skipif(not has_native_bfloat16(torch.device("cpu")), reason="this CPU has no bfloat16 arithmetic")
@torch.no_grad()
def test_in_bfloat16_batch_mates_change_not_one_bit() -> None:
    denoiser = make_denoiser(make_card(network=NetworkConfig(num_layers=3)))
    graph, mates = random_graphs([9] * 5), random_graphs([9] * 60, seed=4)

    with autocast(torch.device("cpu")):
        alone = denoiser(graph, torch.full((5,), 9))
        beside = denoiser(concatenate(graph, mates), torch.full((65,), 9))

    assert torch.equal(beside.nodes[:5], alone.nodes)
    assert torch.equal(beside.edges[:5], alone.edges)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and there is none")
@torch.no_grad()
def test_a_gpu_predicts_what_the_cpu_does() -> None:
    denoiser, graph = make_denoiser(make_card()), random_graphs([9, 4])
    expected = denoiser(graph, times(graph))

    found = denoiser.to("cuda")(graph.to("cuda"), times(graph).to("cuda"))

    assert_same(GraphLogits(found.nodes.cpu(), found.edges.cpu()), expected, graph)
