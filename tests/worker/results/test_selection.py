from app.schemas import CompletedRequest, GraphFilter
from tests.conftest import make_card
from tests.worker.results.conftest import make_graph
from worker.results.selection import Selection, selection_for


def selection_by(**wanted: bool) -> Selection:
    request = CompletedRequest(model="tiny", seed=1, sampler="mixed", num_steps=5, filter=GraphFilter(**wanted))
    return selection_for(request, make_card())


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


def test_what_was_kept_in_an_earlier_round_stays() -> None:
    selection = selection_by(unique=True)
    selection.keep_passing({0: make_graph("C"), 1: make_graph("C"), 2: make_graph("CC")})

    assert selection.keep_passing({1: make_graph("CC")}) == [1]
    assert selection.keep_passing({1: make_graph("CCC")}) == []
    assert selection.num_drawn == 5
    assert [selection.kept[i].graph["smiles"] for i in range(3)] == ["C", "CCC", "CC"]
