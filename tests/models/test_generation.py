from dataclasses import replace

import pytest
import torch

import models.generation
from models.card.cost import padded_size, size_weights
from models.checkpoint import LoadedModel
from models.conditional import Goal
from models.diffusion.randomness import graph_seeds
from models.generation import Progress, draw_sizes, generate
from models.graphs import GraphBatch
from models.plan import GenerationPlan
from tests.conftest import make_card, make_denoiser, make_regressor, make_regressor_card

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
    assert replace(plan, keep_frames=count).kept_steps == steps
    assert all(frames[index] == [every[index][step] for step in steps] for index in frames)
    assert [kept[0] for kept in every.values()] != [kept[-1] for kept in every.values()]


def test_more_frames_than_steps_are_a_frame_for_every_step() -> None:
    assert replace(make_plan(1), keep_frames=200).kept_steps == [0, 1, 2, 3, 4, 5]
    assert make_plan(1).kept_steps == []


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
