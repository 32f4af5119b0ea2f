from typing import Any
from xml.etree import ElementTree

import pytest

from app.http.errors import InvalidRequest
from app.pictures.parts import draw_part
from app.schemas import Part, PartRequest
from models.card.card import ModelCard
from tests.conftest import make_card

MOLECULES = make_card()
GRAPHS = MOLECULES.model_copy(
    update={"name": "graphs", "domain": "graph", "node_types": ["node"], "edge_types": ["none", "edge"], "max_nodes": 9}
)
PATH: dict[str, Any] = {
    "nodes": [{"id": name} for name in "abcd"],
    "edges": [{"source": i, "target": j} for i, j in ("ab", "bc", "cd")],
}


def part(card: ModelCard = MOLECULES, **fields: Any) -> Part:
    return draw_part(PartRequest(**fields), card)


def places(found: Part) -> tuple[list[int], list[int]]:
    """The numbers of the kept nodes and of the open ones."""
    return (
        [number for number, node in enumerate(found.nodes) if node.kept],
        [number for number, node in enumerate(found.nodes) if node.open],
    )


def test_a_part_of_a_molecule_is_written_as_smiles_and_drawn_with_its_atoms_highlighted() -> None:
    whole, found = part(smiles="CCO"), part(smiles="CCO", keep=[0, 1], size=200, theme="dark")

    assert (found.smiles, found.graph, found.problem) == ("*CC", None, None)
    assert places(found) == ([0, 1], [1])
    assert whole.smiles == "CCO"
    assert ElementTree.fromstring(found.svg).get("viewBox") == "0 0 200 200"
    assert found.svg.lower().count("#5f5a14") < whole.svg.lower().count("#f0e442")
    assert all(0 < node.x < 200 and 0 < node.y < 200 for node in found.nodes)


def test_a_drawn_molecule_may_come_as_a_graph() -> None:
    nodes = [{"id": i, "type": kind, "element": kind, "charge": 0, "given": True} for i, kind in enumerate("CCO")]
    edges = [{"source": i, "target": i + 1, "type": "single"} for i in (0, 1)]

    assert part(graph={"nodes": nodes, "edges": edges}, keep=[1, 2]).smiles == "*CO"
    broken = part(graph={"nodes": nodes, "edges": [*edges, {"source": 0, "target": 2, "type": "double"}]}, keep=[0, 2])
    assert broken.smiles is None
    assert broken.graph == {
        "nodes": [{"id": 0, "type": "C"}, {"id": 2, "type": "O"}],
        "edges": [{"source": 0, "target": 2, "type": "double"}],
    }


def test_a_part_of_a_graph_keeps_its_form_and_closes_nodes_by_name() -> None:
    found = part(GRAPHS, graph=PATH, keep=[0, 1, 2], closed=[1])

    assert places(found) == ([0, 1, 2], [0, 2])
    assert found.graph == {
        "nodes": [{"id": 0}, {"id": 1, "closed": True}, {"id": 2}],
        "edges": [{"source": 0, "target": 1, "type": "edge"}, {"source": 1, "target": 2, "type": "edge"}],
    }
    again = part(GRAPHS, graph=found.graph)
    assert places(again) == ([0, 1, 2], [0, 2])
    assert again.graph == found.graph


def test_pairs_that_are_open_stay_so() -> None:
    edges = [*PATH["edges"], {"source": "a", "target": "c", "type": "none"}]

    assert part(GRAPHS, graph=PATH | {"edges": edges, "open": True}, keep=[0, 2, 3]).graph == {
        "nodes": [{"id": 0}, {"id": 2}, {"id": 3}],
        "edges": [{"source": 0, "target": 2, "type": "none"}, {"source": 2, "target": 3, "type": "edge"}],
        "open": True,
    }
    assert "open" not in (part(GRAPHS, graph=PATH | {"open": True}, keep=[0, 1]).graph or {})


def test_what_the_model_cannot_draw_around_is_drawn_and_has_a_problem() -> None:
    assert "draws at most 9" in (part(smiles="C" * 12).problem or "")
    assert "does not draw F" in (part(smiles="CCF").problem or "")
    assert part(smiles="CCF", keep=[0, 1]).problem is None
    assert "all nodes are closed" in (part(GRAPHS, graph=PATH, closed=[0, 1, 2, 3]).problem or "")
    nothing = part(smiles="CCO", keep=[])
    assert (nothing.smiles, nothing.problem) == (None, None)


@pytest.mark.parametrize(
    ("card", "fields", "words"),
    [
        (MOLECULES, {"smiles": "c1cc"}, "smiles: 'c1cc' is no SMILES; write a part like"),
        (MOLECULES, {"smiles": "CO", "keep": [2]}, "keep: there is no atom 2"),
        (GRAPHS, {"graph": PATH, "open": [7]}, "open: there is no node 7; nodes are numbered from 0 to 3"),
        (GRAPHS, {"graph": {"nodes": []}}, "graph: no nodes"),
        (
            GRAPHS,
            {"graph": {"nodes": [{"id": i} for i in range(10)]}},
            "graph: a graph of 10 nodes, and graphs draws at",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(card: ModelCard, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        part(card, **fields)

    assert str(caught.value).startswith(words)
