import torch

from models.given.drawing import GivenParts
from models.given.partial import PartialGraph

CPU = torch.device("cpu")
PATH = PartialGraph((1, None, 2), {(0, 1): 1, (1, 2): 2, (0, 2): 0}, frozenset({0}))
PAIR = PartialGraph((3, 3), {(0, 1): 1})


def test_graph_after_graph_takes_the_parts_in_turn() -> None:
    given = GivenParts([PATH, PAIR], CPU).context(torch.tensor([0, 1, 4]), torch.tensor([5, 4, 3]), width=5).given

    assert given is not None
    assert given.nodes.tolist() == [
        [True, False, True, False, False],
        [True, True, False, False, False],
        [True, False, True, False, False],
    ]
    assert given.graph.nodes[0, [0, 2]].tolist() == [1, 2]
    assert given.graph.nodes[1, :2].tolist() == [3, 3]


def test_a_closed_node_is_apart_from_every_node_after_the_part_and_no_further() -> None:
    given = GivenParts([PATH], CPU).context(torch.tensor([0]), torch.tensor([4]), width=5).given

    assert given is not None
    assert given.pairs[0].tolist() == [
        [False, True, True, True, False],
        [True, False, True, False, False],
        [True, True, False, False, False],
        [True, False, False, False, False],
        [False] * 5,
    ]
    assert given.graph.edges[0, 0].tolist() == [0, 1, 0, 0, 0]


def test_a_part_in_a_larger_graph_has_its_places_there() -> None:
    placed = PATH.at((3, 1, 0), 4)

    assert placed.nodes == (2, None, None, 1)
    assert placed.pairs == {(1, 3): 1, (0, 1): 2, (0, 3): 0, (2, 3): 0}
