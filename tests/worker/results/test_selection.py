from collections.abc import Mapping
from typing import Any

from app.schemas import CompletedRequest, Graph
from tests.conftest import make_card
from tests.worker.results.conftest import make_graph
from worker.results.selection import Selection, selection_for

CARD = make_card()


def selection_by(num_graphs: int = 5, **wanted: Any) -> Selection:
    fields = {"model": "tiny", "num_graphs": num_graphs, "seed": 1, "sampler": "mixed", "num_steps": 5}
    return selection_for(CompletedRequest.model_validate(fields | {"filter": wanted}), CARD)


def draw(selection: Selection, drawn: Mapping[int, Graph]) -> None:
    """A round of these graphs, finished in this order."""
    selection.examine_all(drawn.items())
    selection.end_round()


def keep_in_rounds(selection: Selection, stream: list[str | None], most_at_once: int) -> list[int]:
    """Draw from the stream, at most so many graphs at once, until the selection wants no more."""
    while numbers := list(selection.next_numbers())[:most_at_once]:
        draw(selection, {number: make_graph(stream[number]) for number in numbers})
    return sorted(selection.kept)


def test_without_a_wish_everything_is_kept() -> None:
    selection = selection_by(3)

    draw(selection, {0: make_graph(None), 1: make_graph("C"), 2: make_graph("C")})

    assert sorted(selection.kept) == [0, 1, 2]
    assert not selection.next_numbers()


def test_broken_molecules_and_fragments_are_turned_down() -> None:
    drawn = {0: make_graph(None), 1: make_graph("C.CC", edges=[(0, 1)]), 2: make_graph("C")}
    valid, connected = selection_by(valid=True), selection_by(connected=True)
    for selection in (valid, connected):
        draw(selection, drawn)

    assert (sorted(valid.kept), sorted(connected.kept)) == ([1, 2], [0, 2])


def test_of_equal_molecules_the_first_is_kept_whichever_was_finished_first() -> None:
    one, other = selection_by(unique=True), selection_by(unique=True)
    drawn = {0: make_graph("C"), 1: make_graph("CC"), 2: make_graph("C"), 3: make_graph(None), 4: make_graph(None)}
    draw(one, drawn)
    draw(other, dict(reversed(drawn.items())))

    assert sorted(one.kept) == [0, 1, 3, 4]
    assert one.kept == other.kept


def test_what_is_refused_is_counted_by_its_first_reason() -> None:
    selection = selection_by(valid=True, connected=True, unique=True)

    draw(
        selection, {0: make_graph(None), 1: make_graph("C.CC", edges=[(0, 1)]), 2: make_graph("C"), 3: make_graph("C")}
    )

    assert selection.refused == {"valid": 1, "connected": 1, "unique": 1}
    assert selection.num_drawn == 4


def test_what_was_kept_in_an_earlier_round_stays_and_further_draws_take_the_places_of_the_refused() -> None:
    selection = selection_by(3, unique=True)
    draw(selection, {0: make_graph("C"), 1: make_graph("C"), 2: make_graph("CC")})

    assert list(selection.next_numbers()) == [3, 4]
    draw(selection, {3: make_graph("CC"), 4: make_graph("CCC")})

    assert {number: graph.graph["smiles"] for number, graph in selection.kept.items()} == {0: "C", 2: "CC", 4: "CCC"}
    assert (selection.num_drawn, selection.num_missing) == (5, 0)
    assert not selection.next_numbers()


def test_the_first_that_pass_are_kept_however_many_are_drawn_at_once() -> None:
    stream = ["C" * (1 + number % 5) if number % 3 else None for number in range(500)]

    found = [keep_in_rounds(selection_by(20, valid=True), stream, at_once) for at_once in (1, 7, 500)]

    assert found[0] == found[1] == found[2]
    assert found[0] == [number for number in range(500) if number % 3][:20]
    assert keep_in_rounds(selection_by(5, valid=True), stream, 500) == found[0][:5]


def test_the_harder_a_filter_is_the_more_are_drawn_at_once() -> None:
    selection = selection_by(10, valid=True)
    sizes = []
    while numbers := selection.next_numbers():
        sizes.append(len(numbers))
        draw(selection, {number: make_graph("C" if number % 20 == 0 else None) for number in numbers})

    assert sizes[:2] == [10, 63]
    assert len(sizes) <= 5
    assert selection.num_missing == 0


def test_what_cannot_be_found_is_given_up_after_a_bounded_number_of_draws() -> None:
    one, thousand = selection_by(1, valid=True), selection_by(1_000, valid=True)
    rounds = [0, 0]
    for place, selection in enumerate((one, thousand)):
        while numbers := selection.next_numbers():
            rounds[place] += 1
            draw(selection, {number: make_graph(None) for number in numbers})

    assert (one.num_drawn, thousand.num_drawn) == (405, 11_000)
    assert (one.refused, thousand.refused) == ({"valid": 405}, {"valid": 11_000})
    assert max(rounds) < 10


def test_progress_rises_with_the_draws_and_ends_before_the_last_one() -> None:
    selection = selection_by(4, valid=True)
    seen = []
    while numbers := selection.next_numbers():
        seen += [selection.progress(fraction, numbers).fraction for fraction in (0.5, 1.0)]
        draw(selection, {number: make_graph(None) for number in numbers})

    assert seen == sorted(seen)
    assert seen[:2] == [0.45, 0.9]
    assert seen[-1] == 1
