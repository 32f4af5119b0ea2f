from typing import Any

import pytest

from app.schemas import CompletedRequest, Graph, GraphFilter, Near
from tests.conftest import make_card
from worker.results.requirements import is_connected, requirements
from worker.results.selection import Selection, selection_for


def make_graph(smiles: str | None, *, edges: list[tuple[int, int]] | None = None, num_nodes: int = 3) -> Graph:
    links: list[dict[str, Any]] = [{"source": i, "target": j, "type": "single"} for i, j in edges or [(0, 1), (1, 2)]]
    nodes: list[dict[str, Any]] = [{"id": i, "type": "C"} for i in range(num_nodes)]
    return Graph(graph={"smiles": smiles, "valid": smiles is not None}, nodes=nodes, edges=links)


def selection_by(**wanted: bool) -> Selection:
    request = CompletedRequest(model="tiny", seed=1, sampler="mixed", num_steps=5, filter=GraphFilter(**wanted))
    return selection_for(request, make_card())


@pytest.mark.parametrize(
    ("num_nodes", "edges", "connected"),
    [
        (1, [], True),
        (2, [], False),
        (3, [(0, 1), (1, 2)], True),
        (4, [(0, 2), (1, 3)], False),
        (4, [(3, 1), (1, 0), (0, 2)], True),
    ],
)
def test_a_graph_is_connected_if_every_node_can_be_reached(
    num_nodes: int, edges: list[tuple[int, int]], connected: bool
) -> None:
    graph = make_graph("C", num_nodes=num_nodes).model_copy(
        update={"edges": [{"source": i, "target": j, "type": "single"} for i, j in edges]}
    )

    assert is_connected(graph) == connected


def test_without_a_wish_everything_is_kept() -> None:
    selection = selection_by()

    assert selection.keep_passing({0: make_graph(None), 1: make_graph("C"), 2: make_graph("C")}) == []
    assert sorted(selection.kept) == [0, 1, 2]


def test_broken_molecules_and_fragments_are_turned_down() -> None:
    pieces = make_graph("C.CC", edges=[(0, 1)])

    assert selection_by(valid=True).keep_passing({0: make_graph(None), 1: pieces, 2: make_graph("C")}) == [0]
    assert selection_by(connected=True).keep_passing({0: make_graph(None), 1: pieces, 2: make_graph("C")}) == [1]


def test_of_equal_molecules_one_is_kept_whichever_was_finished_first() -> None:
    one, other = selection_by(unique=True), selection_by(unique=True)
    drawn = {0: make_graph("C"), 1: make_graph("CC"), 2: make_graph("C"), 3: make_graph(None), 4: make_graph(None)}

    assert one.keep_passing(drawn) == other.keep_passing(dict(reversed(drawn.items()))) == [2]
    assert one.kept == other.kept


def test_what_is_refused_is_counted_by_its_first_reason() -> None:
    selection = selection_by(valid=True, connected=True, unique=True)

    selection.keep_passing(
        {0: make_graph(None), 1: make_graph("C.CC", edges=[(0, 1)]), 2: make_graph("C"), 3: make_graph("C")}
    )

    assert selection.refused == {"valid": 1, "connected": 1, "unique": 1}
    assert selection.num_drawn == 4


def test_a_formula_with_hydrogens_is_held_to_them_and_the_molecule_itself_is_drawn_again() -> None:
    fields = {"model": "tiny", "seed": 1, "sampler": "mixed", "num_steps": 5}
    card = make_card()
    with_formula = CompletedRequest.model_validate({**fields, "given": {"formula": "C3H6O"}})
    near = CompletedRequest.model_validate({**fields, "near": {"smiles": "CCO"}})
    (formula,), (unchanged,) = requirements(with_formula, card), requirements(near, card)

    assert formula.reason == "formula"
    assert [formula.holds(make_graph(smiles)) for smiles in ("CC(C)=O", "CCCO", None)] == [True, False, False]
    assert unchanged.reason == "unchanged"
    assert list(requirements(near.model_copy(update={"near": Near(smiles="CCO", unchanged=True)}), card)) == []


def test_what_was_kept_in_an_earlier_round_stays() -> None:
    selection = selection_by(unique=True)
    selection.keep_passing({0: make_graph("C"), 1: make_graph("C"), 2: make_graph("CC")})

    assert selection.keep_passing({1: make_graph("CC")}) == [1]
    assert selection.keep_passing({1: make_graph("CCC")}) == []
    assert selection.num_drawn == 5
    assert [selection.kept[i].graph["smiles"] for i in range(3)] == ["C", "CCC", "CC"]
