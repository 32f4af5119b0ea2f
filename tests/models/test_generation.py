import pytest
import torch

import models.generation
from models.checkpoint import LoadedModel
from models.diffusion.randomness import graph_seeds
from models.generation import GenerationPlan, Progress, draw_sizes, generate
from models.graphs import GraphBatch
from tests.conftest import make_card, make_denoiser

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
    sizes = draw_sizes(make_card().sizes_between(1, 9), graph_seeds(0, torch.arange(4_000)))

    assert set(sizes.tolist()) == {5, 9}
    assert 0.46 < (sizes == 5).double().mean() < 0.54


def test_sizes_stay_in_the_range_asked_for() -> None:
    def sizes(smallest: int, largest: int) -> set[int]:
        weights = make_card().sizes_between(smallest, largest)
        return set(draw_sizes(weights, graph_seeds(0, torch.arange(200))).tolist())

    assert sizes(5, 8) == {5}
    assert sizes(3, 3) == {3}
    # No training graph has 6 to 8 nodes: each is as likely.
    assert sizes(6, 8) == {6, 7, 8}


def test_the_padded_size_holds_the_graph_and_does_not_exceed_the_largest() -> None:
    card = make_card()

    assert [card.padded_size(size) for size in range(1, 10)] == [9] * 9


@pytest.mark.usefixtures("_small_batches")
def test_progress_rises_to_one() -> None:
    seen: list[Progress] = []

    for _ in generate(MODEL, make_plan(400), seen.append):
        pass

    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert abs(fractions[-1] - 1) < 1e-9
    assert seen[-1].graphs_done < 400  # the last batch is not yet handed over
