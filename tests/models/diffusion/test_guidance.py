"""Guidance against its formulas, on tiny networks."""

import pytest
import torch
import torch.nn.functional as F

from models.card.config import GuidanceConfig
from models.compute.precision import has_native_bfloat16
from models.diffusion import guidance as guidance_module
from models.diffusion.corruption import draw_graphs
from models.diffusion.guidance import Guidance
from models.diffusion.randomness import graph_seeds
from models.diffusion.sampler import Step, ancestral, time_grid
from models.diffusion.targets import Targets
from models.graphs import GraphBatch, GraphDistribution
from tests.conftest import make_denoiser, make_regressor, random_graphs
from tests.models.diffusion.conftest import CARD, make_guidance
from tests.models.diffusion.reference import sample

ESTIMATORS = ["proposals", "gradient"]

needs_bfloat16 = pytest.mark.skipif(
    not has_native_bfloat16(torch.device("cpu")), reason="this CPU has no bfloat16 arithmetic"
)


def drawn(guidance: Guidance | None, sizes: list[int], seeds: torch.Tensor) -> GraphBatch:
    step = guidance.step(ancestral) if guidance else Step()
    denoiser = make_denoiser(CARD)
    grid = time_grid("polydec", 10, 50)
    # The promise is to the bit in bfloat16.
    with torch.autocast("cpu", torch.bfloat16):
        return sample(denoiser, torch.tensor(sizes), seeds, grid=grid, max_nodes=9, step=step)


def test_the_tilted_step_is_the_formula() -> None:
    guidance = make_guidance(2, estimator="gradient", scale=0.7)
    graphs, t, s = random_graphs([9, 6]), torch.tensor([20, 20]), torch.tensor([12, 12])
    denoiser = make_denoiser(CARD)

    plain = ancestral(denoiser, graphs, s=s, t=t)
    tilted = guidance.reverse(ancestral)(denoiser, graphs, s=s, t=t)

    by_nodes, by_edges = guidance.targets[0].error_gradient(graphs, t)
    expected = plain.nodes * (-0.7 * by_nodes).exp()
    torch.testing.assert_close(tilted.nodes, expected / expected.sum(-1, keepdim=True))
    expected = plain.edges * (-0.7 * by_edges).exp()
    torch.testing.assert_close(tilted.edges, expected / expected.sum(-1, keepdim=True))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_guidance_is_the_sampler_itself(estimator: str) -> None:
    sizes, seeds = [9, 5, 7], graph_seeds(3, torch.arange(3))

    unguided = drawn(None, sizes, seeds)
    guided = drawn(make_guidance(3, estimator=estimator, scale=0.0), sizes, seeds)

    assert torch.equal(guided.nodes, unguided.nodes)
    assert torch.equal(guided.edges, unguided.edges)


@needs_bfloat16
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_guided_graphs_do_not_depend_on_their_batch_mates(estimator: str) -> None:
    sizes, seeds = [9, 5, 7, 9, 8, 3], graph_seeds(3, torch.arange(6))
    guidance = make_guidance(6, estimator=estimator)

    together = drawn(guidance, sizes, seeds)

    for i in range(6):
        alone = drawn(make_guidance(1, estimator=estimator), sizes[i : i + 1], seeds[i : i + 1])
        assert torch.equal(alone.nodes[0], together.nodes[i])
        assert torch.equal(alone.edges[0], together.edges[i])


@needs_bfloat16
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_graph_has_its_own_targets_and_scale(estimator: str) -> None:
    one, other = make_guidance(1, estimator=estimator), make_guidance(1, estimator=estimator, value=-3.0, scale=8.0)
    values = torch.cat([one.targets[0].values, other.targets[0].values])
    mixed = Guidance(
        [Targets(one.targets[0].regressor, [0, 1], values)], torch.tensor([3.0, 8.0]), one.config, num_timesteps=50
    )
    seeds = graph_seeds(5, torch.arange(2))

    together = drawn(mixed, [9, 9], seeds)

    for i, guidance in enumerate((one, other)):
        alone = drawn(guidance, [9], seeds[i : i + 1])
        assert torch.equal(alone.edges[0], together.edges[i])
        assert torch.equal(alone.nodes[0], together.nodes[i])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_guidance_draws_towards_its_target(estimator: str) -> None:
    regressor, seeds = make_regressor(CARD), graph_seeds(0, torch.arange(200))
    predicted = {}

    for value in (-4.0, 4.0):
        guidance = make_guidance(200, estimator=estimator, value=value)
        graphs = drawn(guidance, [9] * 200, seeds)
        predicted[value] = float(regressor(graphs, torch.zeros(200, dtype=torch.long)).location[:, 0].mean())

    assert predicted[-4.0] < predicted[4.0] - 0.1


def test_of_two_proposals_each_is_kept_in_proportion_to_its_likelihood() -> None:
    count, scale = 4_000, 6.0
    denoiser, seeds, step = make_denoiser(CARD), graph_seeds(1, torch.arange(count)), torch.full((count,), 15)
    sizes = torch.full((count,), 4)
    with torch.no_grad():
        one = ancestral(denoiser, random_graphs([4]), s=torch.tensor([15]), t=torch.tensor([25]))
    probs = GraphDistribution(one.nodes.expand(count, -1, -1), one.edges.expand(count, -1, -1, -1))
    targets = Targets(make_regressor(CARD), [0, 1], torch.tensor([2.0, -1.5]).expand(count, -1))
    guidance = Guidance([targets], torch.full((count,), scale), GuidanceConfig(num_proposals=2), num_timesteps=50)

    plain = draw_graphs(probs, seeds, num_nodes=sizes, step=step)
    kept = guidance.draw(probs, seeds, num_nodes=sizes, step=step)

    # Any two of the plain draws are two proposals. They fall into quarters by likelihood.
    before, after = (targets.log_density(graphs, step) for graphs in (plain, kept))
    wins = torch.sigmoid(scale * (before[:, None] - before)).mean(1)
    edges = before.quantile(torch.tensor([0.25, 0.5, 0.75]))
    expected = (2 * wins[:, None] * F.one_hot(torch.bucketize(before, edges), 4)).mean(0)
    found = F.one_hot(torch.bucketize(after, edges), 4).float().mean(0)
    assert expected[0] < 0.15
    assert expected[3] > 0.35
    torch.testing.assert_close(found, expected, atol=0.025, rtol=0)


@needs_bfloat16
def test_reading_equal_proposals_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, seeds = [9, 5, 7, 3] * 4, graph_seeds(3, torch.arange(16))
    num_read: list[int] = []

    def count(graphs: GraphBatch, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        distinct, read_as = find_distinct(graphs, count)
        num_read.append(len(distinct))
        assert torch.equal(graphs.edges[distinct][read_as], graphs.edges)
        assert torch.equal(graphs.nodes[distinct][read_as], graphs.nodes)
        return distinct, read_as

    find_distinct = guidance_module._distinct
    monkeypatch.setattr(guidance_module, "_distinct", count)
    few = drawn(make_guidance(16, estimator="proposals"), sizes, seeds)
    monkeypatch.setattr(guidance_module, "_distinct", lambda graphs, _: (torch.arange(len(graphs)),) * 2)
    all_of_them = drawn(make_guidance(16, estimator="proposals"), sizes, seeds)

    assert min(num_read) < 16 * 4
    assert torch.equal(few.edges, all_of_them.edges)
    assert torch.equal(few.nodes, all_of_them.nodes)


def test_a_tilt_that_leaves_nothing_leaves_the_sampler_its_word() -> None:
    guidance = make_guidance(1, estimator="gradient", scale=100.0, value=1e30)
    graphs, t, s = random_graphs([5]), torch.tensor([20]), torch.tensor([10])

    probs = guidance.reverse(ancestral)(make_denoiser(CARD), graphs, s=s, t=t)

    assert probs.nodes.isfinite().all()
    torch.testing.assert_close(probs.nodes.sum(-1), torch.ones(1, 5))
    assert F.relu(-probs.edges).sum() == 0
