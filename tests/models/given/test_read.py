import pytest

from app.schemas import Given, Near
from models.card.card import ModelCard
from models.card.folder import read_card, shipped_checkpoints
from models.given.partial import GivenError
from models.given.read import Conditions, read_conditions


@pytest.fixture(scope="module")
def qm9() -> ModelCard:
    return read_card(shipped_checkpoints() / "qm9")


def read(card: ModelCard, *, near: str | None = None, **given: str) -> Conditions:
    return read_conditions(Given.model_validate(given) if given else None, Near(smiles=near) if near else None, card)


def test_sizes_leave_room_for_more_than_the_part_and_a_formula_is_the_whole(qm9: ModelCard) -> None:
    assert read(qm9, smiles="c1ccccc1*").sizes == range(7, 10)
    assert read(qm9, formula="C6O").sizes == range(7, 8)
    assert read(qm9, smiles="NC(=O)*", formula="C4H9NO").sizes == range(6, 7)
    assert read(qm9, near="CCOC").sizes == range(4, 5)
    assert read(qm9).sizes == range(1, 10)


def test_forms_of_a_ring_are_parts_to_take_in_turn(qm9: ModelCard) -> None:
    assert len(read(qm9, smiles="c1ccccc1*").parts) == 2


def test_near_a_molecule_a_part_keeps_its_place_there(qm9: ModelCard) -> None:
    found = read(qm9, near="CC(O)C1CC1", smiles="C1CC1*")

    assert found.near is not None
    (part,) = found.parts
    assert len(part) == len(found.near) == 6
    assert [place for place, node in enumerate(part.nodes) if node is not None] == [3, 4, 5]
    assert part.pairs[3, 4] == 1
    assert part.pairs[0, 4] == 0
    assert (1, 3) not in part.pairs


def test_a_part_of_a_ring_is_found_in_either_form(qm9: ModelCard) -> None:
    assert len(read(qm9, near="Cc1ccccc1", smiles="c1ccccc1*").parts) >= 1


def test_a_graph_without_chemistry_takes_a_node_link_graph_and_no_smiles() -> None:
    planar = read_card(shipped_checkpoints() / "planar")
    path = {"nodes": [{"id": i} for i in range(5)], "edges": [{"source": i, "target": i + 1} for i in range(4)]}

    found = read_conditions(Given(graph=path), None, planar)

    assert len(found.parts[0]) == 5
    assert found.sizes == range(64, 65)
    with pytest.raises(GivenError, match="draws no molecules") as error:
        read_conditions(Given(smiles="C*"), None, planar)
    assert error.value.field == "given.smiles"
    with pytest.raises(GivenError, match="no graphs of 5 nodes; it draws 64") as error:
        read_conditions(None, Near(graph=path), planar)
    assert error.value.field == "near"


@pytest.mark.parametrize(
    ("given", "near", "field", "message"),
    [
        ({"smiles": "c1ccc2ccccc2c1"}, None, "given", "a part of 10 nodes, and qm9 draws at most 9"),
        ({"formula": "C10"}, None, "given", "no graphs of 10 nodes; it draws 1 to 9"),
        ({"smiles": "CS*"}, None, "given.smiles", "does not draw S"),
        ({"formula": "C2S"}, None, "given.formula", "does not draw S"),
        ({}, "CC*", "near.smiles", "has no \\*"),
        ({}, "c1ccc2ccccc2c1", "near", "no graphs of 10 nodes"),
        ({"smiles": "C1CC1*"}, "CCO", "given", "does not contain this part"),
        ({"smiles": "C1CC1*"}, "CC1CC1C", "given", "closed nodes have further edges"),
        ({"smiles": "C*", "formula": "C2O"}, "CCO", "given.formula", "leave one of both out"),
    ],
)
def test_what_no_graph_can_have_is_refused_by_its_field(
    qm9: ModelCard, given: dict[str, str], near: str | None, field: str, message: str
) -> None:
    with pytest.raises(GivenError, match=message) as error:
        read(qm9, near=near, **given)
    assert error.value.field == field


def test_bonds_beyond_an_atoms_valence_are_refused(qm9: ModelCard) -> None:
    edges = [{"source": 0, "target": i, "type": "double"} for i in (1, 2, 3)]
    star = {"nodes": [{"id": i, "type": "C"} for i in range(4)], "edges": edges}

    with pytest.raises(GivenError, match="no molecule can contain this part") as error:
        read_conditions(Given(graph=star), None, qm9)
    assert error.value.field == "given.graph"
