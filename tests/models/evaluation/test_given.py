from collections import Counter

import pytest
import torch

from models.card.measurements import GivenKind
from models.checkpoint import LoadedModel
from models.data.catalogue import load_dataset
from models.data.dataset import GraphData
from models.evaluation.given import Completion, Source, complete, measure_completions, measure_similarity, sources_of
from models.given.partial import PartialGraph
from models.graphs import GraphBatch
from models.plan import GenerationPlan
from tests.conftest import make_card, make_denoiser

PLAN = GenerationPlan(24, 1, 9, 7, "ancestral", "polydec", 4)


@pytest.fixture(scope="module")
def data() -> GraphData:
    return load_dataset("qm9")


def size_of(source: Source) -> int:
    return source.graph.max_nodes


@pytest.mark.parametrize("kind", ["parts", "scaffolds", "formula"])
def test_what_is_given_is_of_its_test_graph(data: GraphData, kind: GivenKind) -> None:
    sources = sources_of(data, kind, 30, seed=1)

    assert len(sources) == 30
    for source in sources:
        left = Counter(source.whole.nodes)
        left.subtract(source.given.nodes)
        assert min(left.values()) >= 0
        assert kind == "formula" or 3 <= len(source.given) < size_of(source)
        assert kind != "formula" or len(source.given) == size_of(source)


def test_every_second_part_is_closed_but_where_it_goes_on(data: GraphData) -> None:
    sources = sources_of(data, "parts", 40, seed=1)

    assert all(not source.given.closed for source in sources[::2])
    assert sum(bool(source.given.closed) for source in sources[1::2]) > 10
    assert all(not source.given.is_closed for source in sources)


def test_the_same_seed_chooses_the_same(data: GraphData) -> None:
    one, other = (sources_of(data, "parts", 5, seed=seed) for seed in (1, 2))

    assert [s.given for s in one] == [s.given for s in sources_of(data, "parts", 5, seed=1)]
    assert [s.given for s in one] != [s.given for s in other]


def test_completions_have_the_size_of_their_source_and_what_was_given(data: GraphData) -> None:
    card = make_card().model_copy(update={"node_types": data.node_types, "edge_types": data.edge_types})
    card = card.model_copy(
        update={"node_marginals": [1 / 8] * 8, "edge_marginals": [0.7, 0.1, 0.1, 0.1], "size_distribution": {9: 1.0}}
    )
    model = LoadedModel(card, make_denoiser(card), [])
    sources = sources_of(data, "parts", 6, seed=1)

    drawn = complete(model, PLAN, sources)

    assert sorted(c.source for c in drawn) == sorted(list(range(6)) * 4)
    assert all(c.graph.max_nodes == size_of(sources[c.source]) for c in drawn)
    itself = [Completion(i, source.graph) for i, source in enumerate(sources)]
    own = measure_completions(card, [Source(s.graph, s.whole, PartialGraph((), {})) for s in sources], itself * 2, data)
    assert (own["kept"], own["valid"], own["distinct"], own["unique"]) == (1, 1, 0, 0.5)


def test_a_part_that_is_not_there_is_seen(data: GraphData) -> None:
    card = make_card().model_copy(update={"node_types": data.node_types, "edge_types": data.edge_types})
    sources = sources_of(data, "formula", 4, seed=1)
    drawn = [Completion(i, source.graph) for i, source in enumerate(sources)]
    first = drawn[0].graph
    drawn[0] = Completion(0, GraphBatch(torch.full_like(first.nodes, 3), 0 * first.edges, first.num_nodes))

    assert measure_completions(card, sources, drawn, data)["kept"] == 0.75


def test_similarity_falls_with_noise(data: GraphData) -> None:
    card = make_card().model_copy(update={"node_types": data.node_types, "edge_types": data.edge_types})
    card = card.model_copy(update={"node_marginals": [1 / 8] * 8, "edge_marginals": [0.7, 0.1, 0.1, 0.1]})
    model = LoadedModel(card, make_denoiser(card), [])

    values = measure_similarity(model, PLAN, sources_of(data, "near", 24, seed=1))

    assert values["similarity_at_1.0"] < values["similarity_at_0.02"] <= 1
    assert values["unchanged_at_1.0"] <= values["unchanged_at_0.02"] <= 1
