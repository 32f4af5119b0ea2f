from xml.etree import ElementTree

import networkx as nx
import pytest
from rdkit import Chem

from app.pictures.rendering import molecule_of, render_animation, render_picture, sd_record
from app.pictures.scene import Theme
from app.schemas import Frame, Graph, Trajectory
from tests.app.pictures.conftest import SVG, contrast, to_graph


def molecule(types: str, order: str, smiles: str | None) -> Graph:
    nodes = [{"id": 10 + i, "type": label, "element": label, "charge": 0} for i, label in enumerate(types)]
    edges = [{"source": 10 + i, "target": 11 + i, "type": order} for i in range(len(types) - 1)]
    return Graph(graph={"model": "m", "smiles": smiles, "valid": smiles is not None}, nodes=nodes, edges=edges)


ETHANOL, BROKEN = molecule("CCO", "single", "CCO"), molecule("CFC", "triple", None)
PLAIN = to_graph(nx.path_graph(3))


def test_a_molecule_has_its_atoms_in_the_order_of_nodes_whether_it_is_valid_or_not() -> None:
    assert Chem.MolToSmiles(molecule_of(ETHANOL)) == "CCO"
    assert [atom.GetSymbol() for atom in molecule_of(BROKEN).GetAtoms()] == ["C", "F", "C"]


def test_a_record_of_an_sd_file_has_its_data_and_can_be_read() -> None:
    record = sd_record(ETHANOL, {"mu": 1.5})

    assert ">  <mu>\n1.5\n\n$$$$\n" in record
    assert Chem.MolToSmiles(Chem.MolFromMolBlock(record)) == "CCO"
    assert sd_record(BROKEN, {}).endswith("$$$$\n")


@pytest.mark.parametrize("graph", [ETHANOL, BROKEN, PLAIN])
@pytest.mark.parametrize("theme", Theme)
def test_a_picture_is_of_the_size_and_background_asked_for_and_always_the_same(graph: Graph, theme: Theme) -> None:
    svg, again = (render_picture(graph, "svg", size=200, theme=theme) for _ in range(2))
    png = render_picture(graph, "png", size=200, theme=theme)

    assert svg == again
    assert ElementTree.fromstring(svg).get("viewBox") == "0 0 200 200"
    assert theme.background in svg.decode().lower()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20], "big") == int.from_bytes(png[20:24], "big") == 200


@pytest.mark.parametrize("graph", [ETHANOL, PLAIN])
def test_a_trajectory_has_a_group_for_each_frame(graph: Graph) -> None:
    frames = [Frame(step=step, t=2 - step, nodes=graph.nodes, edges=graph.edges[:step]) for step in (0, 1, 2)]

    film = ElementTree.fromstring(render_animation(graph, Trajectory(frames=frames), size=200))

    assert [group.get("data-t") for group in film.findall(f"{SVG}g")] == ["2", "1", "0"]


def given(graph: Graph, *numbers: int) -> Graph:
    nodes = [node | ({"given": True} if number in numbers else {}) for number, node in enumerate(graph.nodes)]
    return graph.model_copy(update={"nodes": nodes})


@pytest.mark.parametrize("graph", [ETHANOL, BROKEN, PLAIN])
@pytest.mark.parametrize("theme", Theme)
def test_what_was_given_is_highlighted_in_every_picture(graph: Graph, theme: Theme) -> None:
    svg = render_picture(given(graph, 0, 1), "svg", size=400, theme=theme).decode().lower()
    thumbnail = render_picture(given(graph, 0, 1), "svg", size=240, theme=theme).decode().lower()
    frames = [Frame(step=step, t=1 - step, nodes=graph.nodes, edges=graph.edges) for step in (0, 1)]
    film = render_animation(given(graph, 0, 1), Trajectory(frames=frames), size=400, theme=theme).decode().lower()

    assert svg.count(theme.given) > thumbnail.count(theme.given) > 0  # the legend has one more
    assert all(part.count(theme.given) >= 3 for part in film.split("<g ")[1:])
    assert render_picture(given(graph, 0, 1), "png", theme=theme) != render_picture(graph, "png", theme=theme)


@pytest.mark.parametrize("graph", [ETHANOL, BROKEN, PLAIN])
def test_where_nothing_or_all_was_given_nothing_is_highlighted(graph: Graph) -> None:
    assert render_picture(given(graph, 0, 1, 2), "svg") == render_picture(graph, "svg")


@pytest.mark.parametrize("theme", Theme)
def test_the_highlight_can_be_told_from_its_background_and_letters_from_it(theme: Theme) -> None:
    assert contrast(theme.given, theme.background) > 1.3
    assert contrast(theme.given, theme.text) > 4.5
