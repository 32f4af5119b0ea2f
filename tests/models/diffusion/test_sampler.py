from itertools import pairwise
from typing import TypedDict

import pytest
import torch
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import DiffusionConfig
from models.compute.precision import autocast
from models.diffusion.context import NO_CONTEXT, Context
from models.diffusion.randomness import graph_seeds
from models.diffusion.sampler import Mixed, ReverseStep, Step, ancestral, renoise, time_grid
from models.graphs import GraphBatch, GraphLogits
from models.networks.denoiser import Denoiser
from tests.conftest import make_card, make_denoiser, random_graphs
from tests.models.diffusion.reference import sample


@pytest.mark.parametrize("kind", ["uniform", "polydec"])
@pytest.mark.parametrize("num_steps", [1, 2, 10, 50, 333, 499, 500])
def test_a_grid_falls_strictly_from_the_last_timestep_to_zero_in_as_many_steps_as_asked(
    kind: str, num_steps: int
) -> None:
    grid = time_grid(kind, num_steps, 500)  # type: ignore[arg-type]

    assert (grid[0], grid[-1], len(grid)) == (500, 0, num_steps + 1)
    assert all(t > s for t, s in pairwise(grid))


def test_polydec_takes_smaller_steps_near_the_clean_graph() -> None:
    steps = [t - s for t, s in pairwise(time_grid("polydec", 50, 500))]

    assert steps[0] > 15 * steps[-1]
    assert max(steps[-20:]) < min(steps[:20])


@pytest.mark.parametrize("num_steps", [0, 501])
def test_a_grid_with_no_step_or_more_steps_than_timesteps_is_refused(num_steps: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 500"):
        time_grid("uniform", num_steps, 500)


class Oracle(Denoiser):
    """A denoiser that knows the answer."""

    def __init__(self, card: ModelCard, answer: GraphBatch) -> None:
        super().__init__(card)
        self.answer = answer

    def forward(self, graph: GraphBatch, t: Tensor, *, context: Context = NO_CONTEXT) -> GraphLogits:
        def certain(categories: Tensor, size: int) -> Tensor:
            return 50.0 * torch.nn.functional.one_hot(categories, size).float()

        return GraphLogits(certain(self.answer.nodes, 4), certain(self.answer.edges, 3))


@pytest.mark.parametrize("prior", ["uniform", "marginal", "absorbing"])
@pytest.mark.parametrize(("kind", "num_steps"), [("uniform", 50), ("uniform", 7), ("polydec", 12), ("uniform", 1)])
def test_an_oracle_leads_back_to_its_graph(prior: str, kind: str, num_steps: int) -> None:
    card = make_card(diffusion=DiffusionConfig.model_validate({"prior": prior, "num_timesteps": 50}))
    answer = random_graphs([3, 9, 6])
    grid = time_grid(kind, num_steps, 50)  # type: ignore[arg-type]

    found = sample(Oracle(card, answer), answer.num_nodes, graph_seeds(1, torch.arange(3)), grid=grid, max_nodes=9)

    assert torch.equal(found.nodes, answer.nodes)
    assert torch.equal(found.edges, answer.edges)


class BayesDenoiser(Denoiser):
    """The best there can be for a data set small enough to enumerate: p(x | z_t) by Bayes' rule over its graphs."""

    def __init__(self, card: ModelCard, data: GraphBatch) -> None:
        super().__init__(card)
        self.data = data

    def forward(self, graph: GraphBatch, t: Tensor, *, context: Context = NO_CONTEXT) -> GraphLogits:
        node_table, edge_table = (
            noise.transition(torch.zeros_like(t), t).clamp(min=1e-300).log()
            for noise in (self.noise.nodes, self.noise.edges)
        )
        scores = torch.stack(
            [
                node_table[b][self.data.nodes, graph.nodes[b]].sum(-1)
                + edge_table[b][self.data.edges, graph.edges[b]].sum((-1, -2)) / 2
                for b in range(len(t))
            ]
        )
        weights = scores.softmax(-1).float()
        nodes, edges = (
            torch.nn.functional.one_hot(x, k).float() for x, k in ((self.data.nodes, 4), (self.data.edges, 3))
        )
        expected_nodes, expected_edges = (
            torch.einsum("bd,dnk->bnk", weights, nodes),
            torch.einsum("bd,dnml->bnml", weights, edges),
        )
        return GraphLogits(expected_nodes.clamp(min=1e-30).log(), expected_edges.clamp(min=1e-30).log())


@pytest.mark.parametrize(("kind", "num_steps"), [("uniform", 100), ("polydec", 25)])
def test_with_a_perfect_denoiser_samples_are_the_data_each_as_often_as_the_others(kind: str, num_steps: int) -> None:
    data = random_graphs([7] * 20)
    card = make_card(diffusion=DiffusionConfig(num_timesteps=100), max_nodes=7)
    grid = time_grid(kind, num_steps, 100)  # type: ignore[arg-type]

    found = sample(
        BayesDenoiser(card, data), torch.full((400,), 7), graph_seeds(1, torch.arange(400)), grid=grid, max_nodes=7
    )

    same = ((found.nodes[:, None] == data.nodes).all(-1)) & ((found.edges[:, None] == data.edges).all(-1).all(-1))
    assert (same.sum(1) == 1).double().mean() > 0.99
    chi_square = ((same.sum(0) - 20.0) ** 2 / 20).sum()
    assert chi_square < 50  # 19 degrees of freedom: exceeded with probability 1e-4


class Times(TypedDict):
    s: Tensor
    t: Tensor


def make_step(prior: str) -> tuple[Denoiser, GraphBatch, Times]:
    card = make_card(diffusion=DiffusionConfig.model_validate({"prior": prior, "num_timesteps": 50}))
    times = Times(s=torch.tensor([12, 0]), t=torch.tensor([20, 30]))
    return make_denoiser(card), random_graphs([9, 6]), times


@pytest.mark.parametrize("prior", ["uniform", "marginal", "absorbing"])
def test_renoising_is_the_written_out_sum(prior: str) -> None:
    denoiser, noisy, times = make_step(prior)

    with torch.no_grad():
        found = renoise(denoiser, noisy, **times)
        clean = denoiser(noisy, times["t"]).softmax()

    for probs, predicted, noise in (
        (found.nodes, clean.nodes, denoiser.noise.nodes),
        (found.edges, clean.edges, denoiser.noise.edges),
    ):
        transition = noise.transition(torch.zeros_like(times["s"]), times["s"]).float()[:, : predicted.shape[-1]]
        torch.testing.assert_close(probs, torch.einsum("b...x,bxz->b...z", predicted, transition))


def test_the_context_reaches_the_network_at_every_step() -> None:
    seen: list[Context] = []

    class Recorder(Oracle):
        def forward(self, graph: GraphBatch, t: Tensor, *, context: Context = NO_CONTEXT) -> GraphLogits:
            seen.append(context)
            return super().forward(graph, t)

    answer, given = random_graphs([9, 6]), Context()
    s, t = torch.tensor([12, 0]), torch.tensor([20, 30])

    for reverse in (ancestral, renoise, Mixed(0.3)):
        Step(reverse)(Recorder(make_card(), answer), answer, graph_seeds(1, torch.arange(2)), s=s, t=t, context=given)

    assert len(seen) == 3
    assert all(context is given for context in seen)


def test_mixed_is_its_two_ends_and_what_lies_between() -> None:
    denoiser, noisy, times = make_step("marginal")

    with torch.no_grad():
        kept, redrawn, none, all_of_it, some = (
            step(denoiser, noisy, **times) for step in (ancestral, renoise, Mixed(0.0), Mixed(1.0), Mixed(0.3))
        )

    assert (kept.edges - redrawn.edges).abs().max() > 0.1
    torch.testing.assert_close(none.edges, kept.edges)
    torch.testing.assert_close(all_of_it.edges, redrawn.edges)
    torch.testing.assert_close(some.nodes, 0.7 * kept.nodes + 0.3 * redrawn.nodes)
    torch.testing.assert_close(some.edges, 0.7 * kept.edges + 0.3 * redrawn.edges)


@pytest.mark.parametrize("reverse", [renoise, Mixed(0.2)])
def test_every_sampler_leads_back_from_an_oracle_to_its_graph(reverse: ReverseStep) -> None:
    answer = random_graphs([3, 9, 6])
    oracle = Oracle(make_card(), answer)

    found = sample(
        oracle, answer.num_nodes, graph_seeds(1, torch.arange(3)), step=Step(reverse), grid=[50, 20, 5, 0], max_nodes=9
    )

    assert torch.equal(found.edges, answer.edges)


def test_every_step_of_a_trajectory_is_a_graph() -> None:
    seen: list[GraphBatch] = []
    sizes = torch.tensor([2, 9])

    sample(
        make_denoiser(make_card()),
        sizes,
        graph_seeds(1, torch.arange(2)),
        grid=[50, 25, 10, 0],
        max_nodes=9,
        on_step=seen.append,
    )

    assert len(seen) == 3
    for graph in seen:
        assert torch.equal(graph.edges, graph.edges.mT)
        assert not graph.edges[~graph.edge_mask].any()


@pytest.mark.thorough
def test_a_trained_models_graph_is_the_same_alone_and_in_a_crowd(qm9: tuple[ModelCard, Denoiser]) -> None:
    _, denoiser = qm9
    seeds = graph_seeds(11, torch.arange(40))
    sizes = torch.tensor([9, 8, 7, 9] * 10)
    grid = time_grid("polydec", 20, denoiser.num_timesteps)

    def drawn(chosen: slice) -> GraphBatch:
        with autocast(torch.device("cpu")):
            return sample(denoiser, sizes[chosen], seeds[chosen], grid=grid, max_nodes=9)

    crowd = drawn(slice(None))
    for chosen in (slice(0, 1), slice(3, 10), slice(17, 40)):
        few = drawn(chosen)
        assert torch.equal(few.nodes, crowd.nodes[chosen])
        assert torch.equal(few.edges, crowd.edges[chosen])


@pytest.mark.thorough
def test_samples_of_a_trained_model_are_exchangeable(qm9: tuple[ModelCard, Denoiser]) -> None:
    """DiGress, Lemma 3.3: a graph is as likely as the same graph with its nodes in another order."""
    _, denoiser = qm9
    num_graphs = 600
    sizes = torch.full((num_graphs,), 9)
    grid = time_grid("polydec", 10, denoiser.num_timesteps)

    with autocast(torch.device("cpu")):
        graphs = sample(denoiser, sizes, graph_seeds(3, torch.arange(num_graphs)), grid=grid, max_nodes=9)

    # How often each position is carbon, and has how many neighbours, must not depend on the position.
    for per_node in ((graphs.nodes == 0).double(), (graphs.edges > 0).sum(-1).double()):
        means, spread = per_node.mean(0), per_node.std(0).mean()
        assert (means - means.mean()).abs().max() < 4.5 * spread / num_graphs**0.5
