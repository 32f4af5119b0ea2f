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


def test_the_summary_says_in_words_why_graphs_are_missing() -> None:
    refused = {"valid": 17, "contains": 1_090}

    short = summarise([molecule("C")], PLAIN, CARD, num_drawn=1_108, refused=refused, num_missing=3, seconds=1.0)
    one = summarise([molecule("C")], PLAIN, CARD, num_drawn=44, refused={"unique": 41}, num_missing=1, seconds=1.0)

    assert short.short == 3
    assert short.note == (
        "3 graphs short of 4: of 1,108 draws, 1,090 failed contains and 17 failed valid; "
        "loosen the filter or ask for fewer"
    )
    assert one.note is not None
    assert one.note.startswith("1 graph short of 4: ")
    assert summarise([molecule("C")], PLAIN, CARD, num_drawn=1, seconds=1.0).note is None


def test_graphs_of_a_family_with_a_rule_are_counted_by_it() -> None:
    card = CARD.model_copy(update={"domain": "graph", "validity": "planar"})
    graphs = [Graph(graph={"valid": valid}, nodes=[], edges=[]) for valid in (True, False, True)]

    summary = summarise(graphs, PLAIN, card, num_drawn=3, seconds=1.0)

    assert (summary.valid, summary.valid_and_connected, summary.unique) == (2, None, None)
