from xml.etree import ElementTree

import networkx as nx

from app.pictures.appearance import EMPTY_VOCABULARY, choose_appearance
from app.pictures.composition import compose_animation
from app.pictures.scene import Theme
from app.pictures.svg import write_animation, write_svg
from app.schemas import Frame, Trajectory
from tests.app.pictures.conftest import SVG, scene_of, to_graph


def test_svg_is_well_formed_whatever_types_are_called_and_has_no_styles() -> None:
    drawn = nx.path_graph(2)
    nx.set_node_attributes(drawn, {0: '<&"', 1: "b\x01"}, "type")

    text = write_svg(scene_of(to_graph(drawn)))

    root = ElementTree.fromstring(text)
    assert len(root.findall(f"{SVG}path")) == 1
    assert '<&"' in [element.text for element in root.findall(f"{SVG}text")]
    assert "style" not in text


def test_a_film_has_a_group_for_each_frame_and_the_last_is_the_graph() -> None:
    graph = to_graph(nx.path_graph(3))
    frames = [
        Frame(step=step, t=10 - step, nodes=graph.nodes, edges=graph.edges[:known])
        for step, known in ((0, 0), (5, 1), (10, 2))
    ]

    film = compose_animation(
        graph,
        Trajectory(frames=frames),
        choose_appearance(graph, EMPTY_VOCABULARY),
        EMPTY_VOCABULARY,
        size=200,
        theme=Theme.DARK,
    )
    root = ElementTree.fromstring(write_animation(film, [(frame.step, frame.t) for frame in frames]))

    groups = root.findall(f"{SVG}g")
    assert [(group.get("data-step"), group.get("data-t")) for group in groups] == [("0", "10"), ("5", "5"), ("10", "0")]
    assert [group.get("visibility") for group in groups] == ["hidden", "hidden", "visible"]
    assert [sum(path.get("d", "").count("M") for path in group.findall(f"{SVG}path")) for group in groups] == [0, 1, 2]
    places = [[(dot.get("cx"), dot.get("cy")) for dot in group.findall(f"{SVG}circle")] for group in groups]
    assert places[0] == places[1] == places[2]
    assert all(group.find(f"{SVG}animate") is not None for group in groups)
