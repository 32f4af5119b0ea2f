from typing import Any

import pytest

from app.schemas import CompletedRequest, Near
from tests.conftest import make_card
from tests.worker.results.conftest import make_graph
from worker.results.requirements import is_connected, is_stable, requirements


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


def reasons(smiles: str | None, **filters: Any) -> list[str]:
    """The conditions that a molecule does not meet."""
    fields = {"model": "tiny", "seed": 1, "sampler": "mixed", "num_steps": 5, "filter": filters}
    conditions = requirements(CompletedRequest.model_validate(fields), make_card())
    return [condition.reason for condition in conditions if not condition.holds(make_graph(smiles))]


def test_molecules_contain_every_pattern_and_none_of_those_they_must_lack() -> None:
    acid = {"contains": ["C(=O)[OH]", "[CH3]"], "lacks": ["N", "a"]}

    assert reasons("CC(=O)O", **acid) == []
    assert reasons("CCO", **acid) == ["contains"]
    assert reasons("CC(N)C(=O)O", **acid) == ["lacks"]
    assert reasons(None, **acid) == ["contains", "lacks"]


def test_properties_lie_within_their_bounds_and_the_summary_names_the_one_that_does_not() -> None:
    bounds = {"logp": {"min": 0, "max": 1}, "heavy_atoms": {"max": 3}, "sa": {"max": 10}}

    assert reasons("CCC", properties=bounds) == ["logp"]
    assert reasons("CCCO", properties=bounds) == ["heavy_atoms"]
    assert reasons("CC=O", properties=bounds) == []
    assert reasons("CCO", properties={"heavy_atoms": {"min": 3, "max": 3}}) == []
    assert reasons(None, properties={"sa": {"max": 10}}) == ["sa"]


def test_molecules_are_like_a_reference_as_far_as_wanted() -> None:
    between = {"smiles": "OCCCC", "min": 0.3, "max": 0.99}

    assert [reasons(smiles, similarity=between) for smiles in ("CCCCCO", "CCCCO", "N", None)] == [
        [],
        *[["similarity"]] * 3,
    ]


def test_a_molecule_is_stable_if_no_atom_lacks_a_bond() -> None:
    methane, methyl = (
        make_graph(smiles, num_nodes=1 + hydrogens, edges=[(0, i) for i in range(1, 1 + hydrogens)])
        for smiles, hydrogens in (("C", 4), ("[CH3]", 3))
    )
    for graph in (methane, methyl):
        for node in graph.nodes[1:]:
            node["type"] = "H"

    assert (is_stable(methane), is_stable(methyl)) == (True, False)


def test_what_is_valid_is_what_the_graph_says() -> None:
    graph = make_graph("C").model_copy(update={"graph": {"valid": False}})
    fields = {"model": "tiny", "seed": 1, "sampler": "mixed", "num_steps": 5, "filter": {"valid": True}}
    (valid,) = requirements(CompletedRequest.model_validate(fields), make_card())

    assert (valid.reason, valid.holds(graph)) == ("valid", False)
