import pytest

from app.schemas import CompletedRequest, Near
from tests.conftest import make_card
from tests.worker.results.conftest import make_graph
from worker.results.requirements import is_connected, requirements


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
