from models.given.partial import PartialGraph, count_known

# Carbon and an open node, which are joined; nothing more can be joined to the carbon.
PART = PartialGraph((0, None), {(0, 1): 1}, frozenset({0}))


def test_a_part_is_closed_if_all_its_nodes_are() -> None:
    assert not PART.is_closed
    assert PartialGraph((0, 2), {}, frozenset({0, 1})).is_closed


def test_further_nodes_stand_behind_and_are_not_joined_to_closed_ones() -> None:
    more = PART.with_further({2: 1, 1: 2})

    assert more.nodes == (0, None, 1, 1, 2)
    assert more.pairs == {(0, 1): 1, (0, 2): 0, (0, 3): 0, (0, 4): 0}
    assert more.closed == PART.closed
    assert count_known(more) == {0: 1, 1: 2, 2: 1}


def test_a_part_of_a_larger_graph_keeps_its_pairs_at_its_places() -> None:
    placed = PART.at((3, 1), num_nodes=4)

    assert placed.nodes == (None, None, None, 0)
    assert placed.pairs == {(1, 3): 1, (0, 3): 0, (2, 3): 0}
