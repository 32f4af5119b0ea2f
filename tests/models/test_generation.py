from dataclasses import replace
from itertools import combinations

import pytest
import torch

import models.generation
from models.card.cost import padded_size, size_weights
from models.checkpoint import LoadedModel
from models.conditional import Goal
from models.diffusion.randomness import graph_seeds
from models.generation import Generation, Progress, advance, draw_round, draw_sizes, generate
from models.given.partial import PartialGraph
from models.graphs import GraphBatch
from models.plan import GenerationPlan, Near
from tests.conftest import make_card, make_denoiser, make_regressor, make_regressor_card, tiny_network

MODEL = LoadedModel(make_card(), make_denoiser(make_card()), [])


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.generation, "BATCH_COST", 2_000)


def make_plan(num_graphs: int, *, min_nodes: int = 1, max_nodes: int = 9, seed: int = 7) -> GenerationPlan:
    return GenerationPlan(num_graphs, min_nodes, max_nodes, seed, "ancestral", "polydec", 5)


def drawn(plan: GenerationPlan) -> list[tuple[list[int], list[list[int]]]]:
    """Nodes and edges of each graph in the order of the request, without padding."""
    found = {}
    for batch in generate(MODEL, plan):
        for row, index in enumerate(batch.indices.tolist()):
            found[index] = unpadded(batch.graphs, row)
    return [found[index] for index in range(plan.num_graphs)]


def unpadded(graphs: GraphBatch, row: int) -> tuple[list[int], list[list[int]]]:
    size = int(graphs.num_nodes[row])
    return graphs.nodes[row, :size].tolist(), graphs.edges[row, :size, :size].tolist()


@pytest.mark.usefixtures("_small_batches")
def test_the_first_graphs_of_a_large_request_are_those_of_a_small_one() -> None:
    assert drawn(make_plan(300))[:10] == drawn(make_plan(10))


def test_another_seed_gives_other_graphs() -> None:
    assert drawn(make_plan(10)) != drawn(make_plan(10, seed=8))


def test_sizes_follow_the_training_distribution() -> None:
    sizes = draw_sizes(size_weights(make_card(), range(1, 10)), graph_seeds(0, torch.arange(4_000)))

    assert set(sizes.tolist()) == {5, 9}
    assert 0.46 < (sizes == 5).double().mean() < 0.54


def test_sizes_stay_in_the_range_asked_for() -> None:
    def sizes(smallest: int, largest: int) -> set[int]:
        weights = size_weights(make_card(), range(smallest, largest + 1))
        return set(draw_sizes(weights, graph_seeds(0, torch.arange(200))).tolist())

    assert sizes(5, 8) == {5}
    assert sizes(3, 3) == {3}
    # No training graph has 6 to 8 nodes: each is as likely.
    assert sizes(6, 8) == {6, 7, 8}


def test_the_padded_size_holds_the_graph_and_does_not_exceed_the_largest() -> None:
    card = make_card()

    assert [padded_size(card, size) for size in range(1, 10)] == [9] * 9


@pytest.mark.usefixtures("_small_batches")
def test_progress_rises_to_one() -> None:
    seen: list[Progress] = []

    for _ in generate(MODEL, make_plan(400), seen.append):
        pass

    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert abs(fractions[-1] - 1) < 1e-9
    assert seen[-1].graphs_done < 400  # the last batch is not yet handed over


def frames_of(
    plan: GenerationPlan, *, model: LoadedModel = MODEL
) -> dict[int, list[tuple[list[int], list[list[int]]]]]:
    """Of every graph, by its number, the frames without padding."""
    return {
        index: [unpadded(frame, row) for frame in batch.frames]
        for batch in generate(model, plan)
        for row, index in enumerate(batch.indices.tolist())
    }


@pytest.mark.usefixtures("_small_batches")
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_frames_lead_from_noise_to_the_graph_and_do_not_change_it(count: int) -> None:
    plan = make_plan(60)

    frames = frames_of(replace(plan, keep_frames=count))

    graphs = drawn(plan)
    assert all(len(kept) == count for kept in frames.values())
    assert [frames[index][-1] for index in range(60)] == graphs
    every = frames_of(replace(plan, keep_frames=6))
    steps = {1: [5], 2: [0, 5], 3: [0, 2, 5], 6: [0, 1, 2, 3, 4, 5]}[count]
    assert replace(plan, keep_frames=count).kept_steps(5) == steps
    assert all(frames[index] == [every[index][step] for step in steps] for index in frames)
    assert [kept[0] for kept in every.values()] != [kept[-1] for kept in every.values()]


def test_more_frames_than_steps_are_a_frame_for_every_step() -> None:
    assert replace(make_plan(1), keep_frames=200).kept_steps(5) == [0, 1, 2, 3, 4, 5]
    assert make_plan(1).kept_steps(5) == []


def test_the_frames_of_a_candidate_that_is_kept_are_its_own() -> None:
    card = make_card()
    regressor = make_regressor(card)
    model = LoadedModel(card.with_regressor(make_regressor_card()), make_denoiser(card), [regressor])
    plan = replace(make_plan(8), goal=Goal({"a": 1.0}, "gradient", 1.0, 4), keep_frames=3)

    batches = list(generate(model, plan))

    for batch in batches:
        assert len(batch.frames) == 3
        torch.testing.assert_close(batch.frames[-1].nodes, batch.graphs.nodes)
        torch.testing.assert_close(batch.frames[-1].edges, batch.graphs.edges)


def a_part() -> tuple[PartialGraph, ...]:
    pairs = {(0, 1): 1, (0, 2): 0, (1, 2): 2}
    return PartialGraph((0, 1, 2), pairs, frozenset({2})), PartialGraph((0, None, 2), {(0, 1): 2})


@pytest.mark.parametrize("reads_given", [True, False])
def test_graphs_with_something_given_have_it_and_are_the_same_alone_and_beside_others(reads_given: bool) -> None:
    card = make_card(network=tiny_network(reads_given=reads_given))
    model = LoadedModel(card, make_denoiser(card), [])
    plan = replace(make_plan(12), min_nodes=5, given=a_part())
    alone, others = Generation(model, plan), Generation(model, replace(make_plan(7), seed=3))
    portion = next(alone.portions(10_000))
    mine, beside = alone.start(portion), others.start(next(others.portions(10_000)))
    graphs = alone.start(portion)

    for _ in range(alone.num_steps):
        (graphs,) = advance([graphs])
        mine, beside = advance([mine, beside])

    assert mine.graphs.equals(graphs.graphs)
    batch = alone.finish(mine)
    assert batch is not None
    assert batch.given is not None
    assert batch.given.nodes.sum(1).tolist() == [3, 2] * (len(portion) // 2)
    assert not batch.graphs.edges[:, 2, 3:][batch.indices % 2 == 0].any()


def test_what_was_given_of_a_graph_is_looked_for_when_it_is_finished() -> None:
    card = make_card()
    model = LoadedModel(card, make_denoiser(card), [])
    generation = Generation(model, replace(make_plan(4), min_nodes=9, given=a_part()[:1]))
    cohort = generation.start([0, 1])
    changed = GraphBatch(torch.full_like(cohort.graphs.nodes, 3), cohort.graphs.edges, cohort.graphs.num_nodes)

    with pytest.raises(RuntimeError, match="lacks what was given"):
        generation.finish(replace(cohort, graphs=changed))


def test_near_a_graph_fewer_steps_are_taken_and_what_is_kept_of_it_stays() -> None:
    card = make_card(network=tiny_network(reads_given=True))
    model = LoadedModel(card, make_denoiser(card), [])
    known = PartialGraph(tuple([0, 1] * 4), dict.fromkeys(combinations(range(8), 2), 1))
    ring = PartialGraph((1, 0), {(0, 1): 1}).at((1, 6), 8)
    plan = replace(make_plan(6), min_nodes=8, max_nodes=8, near=Near((known,), 0.3), given=(ring,))

    generation = Generation(model, plan)
    drawn = list(draw_round(generation))

    assert generation.grid[0] == 15
    assert 0 < generation.num_steps < plan.num_steps
    assert sum(len(batch.indices) for batch in drawn) == 6
    assert all((batch.graphs.nodes[:, 1] == 1).all() and (batch.graphs.edges[:, 1, 6] == 1).all() for batch in drawn)
