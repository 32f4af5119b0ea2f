"""What is given stays, and with an exact denoiser the rest follows the conditional distribution."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from models.card.config import DiffusionConfig
from models.diffusion.context import NO_CONTEXT, Context, Given
from models.diffusion.graph_noise import GraphNoise
from models.diffusion.noise import CategoricalNoise
from models.diffusion.randomness import graph_seeds
from models.diffusion.sampler import DenoisingModel, Mixed, ReverseStep, Step, ancestral, draw_prior, renoise, time_grid
from models.diffusion.schedule import alpha_bar
from models.graphs import GraphBatch, GraphDistribution, GraphLogits
from tests.conftest import make_card, make_denoiser, random_graphs, tiny_network

T = 200


def some_given(graph: GraphBatch) -> Given:
    """The first three nodes and their pairs."""
    nodes = (torch.arange(graph.max_nodes) < 3) & graph.node_mask
    return Given(graph, nodes, nodes[:, :, None] & nodes[:, None, :] & graph.edge_mask)


def every_graph() -> GraphBatch:
    """All 64 graphs of three nodes, each of two categories, with or without each edge."""
    states = torch.tensor(list(product(range(2), repeat=6)))
    edges = torch.zeros(64, 3, 3, dtype=torch.long)
    for column, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        edges[:, i, j] = edges[:, j, i] = states[:, 3 + column]
    return GraphBatch(states[:, :3], edges, torch.full((64,), 3))


def probability_of_each(probs: GraphDistribution, graphs: GraphBatch) -> Tensor:
    """(b, 64): how probable each of the graphs is, by each of b distributions."""
    total = torch.ones(len(probs.nodes), len(graphs), dtype=torch.double)
    for i in range(3):
        total = total * probs.nodes[:, i].double()[:, graphs.nodes[:, i]]
        for j in range(i):
            total = total * probs.edges[:, i, j].double()[:, graphs.edges[:, i, j]]
    return total


class ExactDenoiser(DenoisingModel):
    """p(x_i | z_t, given) by Bayes' rule over all graphs, with `data` as their distribution."""

    reads_given = True

    def __init__(self, data: Tensor) -> None:
        schedule = alpha_bar(DiffusionConfig(num_timesteps=T))
        self.noise = GraphNoise(
            CategoricalNoise(schedule, torch.tensor([0.6, 0.4])), CategoricalNoise(schedule, torch.tensor([0.7, 0.3]))
        )
        self.data, self.graphs = data, every_graph()

    @property
    def num_timesteps(self) -> int:
        return T

    def __call__(self, graph: GraphBatch, t: Tensor, *, context: Context = NO_CONTEXT) -> GraphLogits:
        clean = self.noise.one_hot(self.graphs)
        noisy = self.noise.corrupt(self.graphs, t[:1].expand(64))
        if context.given:
            # One thing is given in this test, of all graphs alike. There, z_t is x.
            nodes, pairs = context.given.nodes[:1, :, None], context.given.pairs[:1, :, :, None]
            noisy = GraphDistribution(
                torch.where(nodes, clean.nodes, noisy.nodes), torch.where(pairs, clean.edges, noisy.edges)
            )
        weights = probability_of_each(noisy, graph).T * self.data
        weights = weights / weights.sum(1, keepdim=True)
        nodes, edges = clean.nodes.double(), clean.edges.double()
        return GraphLogits(
            torch.einsum("bx,xnk->bnk", weights, nodes).clamp(min=1e-30).log().float(),
            torch.einsum("bx,xnml->bnml", weights, edges).clamp(min=1e-30).log().float(),
        )


def some_data() -> Tensor:
    """A distribution over the 64 graphs, far from independent."""
    weights = torch.rand(64, generator=torch.Generator().manual_seed(5), dtype=torch.double) ** 4 + 1e-3
    return weights / weights.sum()


# With a step at every time. "mixed" and "renoise" do not converge to the data, with something given or without.
@pytest.mark.thorough
@pytest.mark.parametrize(("reverse", "furthest"), [(ancestral, 0.006), (Mixed(0.2), 0.03), (renoise, 0.25)])
@pytest.mark.parametrize("kind", ["nothing", "a part", "nodes", "pairs"])
def test_with_an_exact_denoiser_samples_follow_the_conditional_distribution(
    reverse: ReverseStep, furthest: float, kind: str
) -> None:
    data, graphs = some_data(), every_graph()
    denoiser = ExactDenoiser(data)
    wanted = graphs[[37]]
    given = Given.nothing(wanted)
    if kind == "a part":
        given.nodes[0, :2] = True
        given.pairs[0, 0, 1] = given.pairs[0, 1, 0] = True
    given.nodes[0] |= kind == "nodes"
    given.pairs[0] |= (kind == "pairs") & wanted.edge_mask[0]
    everywhere = Context(Given(wanted[[0] * 64], given.nodes.expand(64, -1), given.pairs.expand(64, -1, -1)))
    assert everywhere.given is not None
    agrees = (everywhere.given.put_into(graphs).nodes == graphs.nodes).all(1) & (
        everywhere.given.put_into(graphs).edges == graphs.edges
    ).all(2).all(1)

    prior = everywhere.given.made_certain(denoiser.noise.prior(64, 3))
    found = probability_of_each(prior, graphs)[0]
    for t, s in pairwise(time_grid("uniform", T, T)):
        step = reverse(
            denoiser,
            everywhere.given.put_into(graphs),
            s=torch.full((64,), s),
            t=torch.full((64,), t),
            context=everywhere,
        )
        found = found @ probability_of_each(everywhere.given.made_certain(step), graphs)

    conditional = data * agrees / (data * agrees).sum()
    assert 2 <= agrees.sum() <= 64
    assert float((found - conditional).abs().sum()) / 2 < furthest
    assert float(found[~agrees].sum()) == 0


@pytest.mark.parametrize("reads_given", [True, False])
@pytest.mark.parametrize("reverse", [ancestral, Mixed(0.2), renoise])
@pytest.mark.parametrize("prior", ["marginal", "absorbing"])
def test_what_is_given_is_in_every_finished_graph(reads_given: bool, reverse: ReverseStep, prior: str) -> None:
    diffusion = DiffusionConfig.model_validate({"prior": prior, "num_timesteps": 50})
    denoiser = make_denoiser(make_card(diffusion=diffusion, network=tiny_network(reads_given=reads_given)))
    known, seeds = random_graphs([9, 6, 4]), graph_seeds(1, torch.arange(3))
    context = Context(some_given(known))
    assert context.given is not None

    z = draw_prior(denoiser, known.num_nodes, seeds, max_nodes=9, context=context)
    kept = []
    for t, s in pairwise(time_grid("polydec", 8, 50)):
        times = {"s": torch.full_like(seeds, s), "t": torch.full_like(seeds, t)}
        with torch.no_grad():
            z = Step(reverse)(denoiser, z, seeds, **times, context=context)
        there = context.given.put_into(z)
        kept.append(torch.equal(there.nodes, z.nodes) and torch.equal(there.edges, z.edges))

    assert kept[-1]
    assert all(kept) == reads_given
    assert torch.equal(z.edges, z.edges.mT)
    assert not torch.equal(z.nodes, known.nodes)


def test_flags_mean_nothing_to_weights_from_before_them_and_something_after() -> None:
    before = make_denoiser(make_card())
    network = tiny_network(reads_given=True)
    now = make_denoiser(make_card(network=network))
    now.load_state_dict(before.state_dict(), strict=False)
    torch.nn.init.zeros_(now.get_parameter("network.given_node"))
    torch.nn.init.zeros_(now.get_parameter("network.given_pair"))
    graphs, t = random_graphs([9, 6]), torch.tensor([30, 20])
    context = Context(some_given(graphs))

    with torch.no_grad():
        old, new = before(graphs, t), now(graphs, t, context=context)
        torch.nn.init.ones_(now.get_parameter("network.given_pair"))
        later = now(graphs, t, context=context)

    assert torch.equal(old.edges, new.edges)
    assert torch.equal(old.nodes, new.nodes)
    assert not torch.equal(old.edges, later.edges)


def test_a_graph_with_nothing_given_is_the_same_beside_one_with_something() -> None:
    denoiser = make_denoiser(make_card(network=tiny_network(reads_given=True)))
    graphs, t = random_graphs([9, 6]), torch.tensor([30, 20])
    beside = Context.concatenate([NO_CONTEXT, Context(some_given(graphs[[1]]))], [graphs[[0]], graphs[[1]]])

    with torch.no_grad():
        alone, together = denoiser(graphs, t), denoiser(graphs, t, context=beside)

    assert torch.equal(alone.edges[0], together.edges[0])
    assert torch.equal(alone.nodes[0], together.nodes[0])
    assert not torch.equal(alone.edges[1], together.edges[1])


def test_renaming_nodes_renames_the_prediction_with_something_given() -> None:
    denoiser = make_denoiser(make_card(network=tiny_network(reads_given=True)))
    graphs, t = random_graphs([9]), torch.tensor([30])
    given, order = some_given(graphs), torch.randperm(9, generator=torch.Generator().manual_seed(1))
    renamed = GraphBatch(graphs.nodes[:, order], graphs.edges[:, order][:, :, order], graphs.num_nodes)
    also = Given(renamed, given.nodes[:, order], given.pairs[:, order][:, :, order])

    with torch.no_grad():
        first, second = denoiser(graphs, t, context=Context(given)), denoiser(renamed, t, context=Context(also))

    torch.testing.assert_close(second.nodes, first.nodes[:, order])
    torch.testing.assert_close(second.edges, first.edges[:, order][:, :, order])


def test_a_context_is_joined_and_taken_apart_by_graph() -> None:
    graphs = random_graphs([9, 6, 4])
    parts = [NO_CONTEXT, Context(some_given(graphs[[1, 2]]))]

    joined = Context.concatenate(parts, [graphs[[0]], graphs[[1, 2]]])

    assert joined.given is not None
    assert not joined.given.nodes[0].any()
    assert torch.equal(joined[torch.tensor([2])].given.pairs, some_given(graphs[[2]]).pairs)  # type: ignore[union-attr]
    assert Context.concatenate([NO_CONTEXT, NO_CONTEXT], [graphs, graphs]) is NO_CONTEXT
