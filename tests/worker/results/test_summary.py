from typing import Any

from app.schemas import CompletedConditionalRequest, CompletedRequest, Graph
from tests.conftest import make_card
from worker.results.summary import summarise

CARD = make_card()
ASKED: dict[str, Any] = {"model": "tiny", "num_graphs": 4, "seed": 7, "sampler": "ancestral", "num_steps": 10}
PLAIN = CompletedRequest.model_validate(ASKED)
STEERED = CompletedConditionalRequest.model_validate(
    ASKED | {"targets": {"mu": 2.0}, "guidance_scale": 1.0, "estimator": "gradient", "candidates": 3}
)


def molecule(smiles: str | None, mu: float = 0.0) -> Graph:
    about = {"smiles": smiles, "valid": smiles is not None, "properties": {"mu": mu}}
    return Graph(graph=about, nodes=[], edges=[])


def test_molecules_are_counted_by_what_is_right_about_them() -> None:
    graphs = [molecule("CC"), molecule("CC"), molecule("C.C"), molecule(None)]

    summary = summarise(graphs, PLAIN, CARD, num_drawn=9, refused={"connected": 5}, seconds=1.23456)

    assert (summary.num_graphs, summary.valid, summary.valid_and_connected, summary.unique) == (4, 3, 2, 2)
    assert (summary.candidates, summary.predicted_error, summary.seconds) == (None, None, 1.235)
    assert (summary.drawn, summary.refused) == (9, {"connected": 5})


def test_graphs_without_chemistry_are_not_called_valid_or_not() -> None:
    card = CARD.model_copy(update={"domain": "graph"})

    summary = summarise([Graph(graph={}, nodes=[], edges=[])], PLAIN, card, num_drawn=1, seconds=1.0)

    assert (summary.num_graphs, summary.valid, summary.unique) == (1, None, None)


def test_the_error_is_the_mean_distance_of_valid_graphs_from_the_target() -> None:
    graphs = [molecule("C", mu=1.0), molecule("CC", mu=2.5), molecule(None, mu=99.0)]

    summary = summarise(graphs, STEERED, CARD, num_drawn=5, seconds=1.0)

    assert summary.candidates == 15
    assert summary.predicted_error == {"mu": 0.75}


def test_without_a_valid_graph_there_is_no_error() -> None:
    assert summarise([molecule(None)], STEERED, CARD, num_drawn=1, seconds=1.0).predicted_error is None
