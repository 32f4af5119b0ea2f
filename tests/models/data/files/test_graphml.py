from pathlib import Path

import networkx as nx
import pytest
import torch

from models.data.files.load import load_file
from models.data.files.parsed import DataFileError
from tests.models.data.files.conftest import as_graphml, write

GOOD_XML = '<graph edgedefault="undirected"><node id="a"/></graph>'
# The beginning of a file of GraphML, whose graphs may have numbers, and a node in its third line.
KEYS = '<key id="t" for="all" attr.name="type"/>' + "".join(
    f'<key id="{name}" for="graph" attr.name="{label}" attr.type="double"/>'
    for name, label in {"x": "x", "X": "X", "u": "µ"}.items()
)
XML = ["<graphml>", f"{KEYS}<graph>", '<node id="a"/>']
EDGE = '<edge source="a" target="b"/>'
END = ["</graph>", "</graphml>"]


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("a.graphml", ["<graphml>", GOOD_XML, "<graph>", "</graphml>"], "a.graphml, line 4: mismatched tag"),
        ("a.graphml", ["<graphml>", '<graph edgedefault="directed">'], "line 2: the graph is directed"),
        ("a.graphml", ["<graphml>", "<graph>", '<data key="k"/>'], "line 3: no <key> has the id 'k'"),
        ("a.graphml", ["<graphml>", "<default>1</default>"], "line 2: a <default> outside of a <key>"),
        ("a.graphml", ["<graphml>", "<graph>", '<edge source="a"/>'], "line 3: a <edge> has no target"),
        (
            "a.graphml",
            [*XML, '<edge source="a"', 'target="b"/>', *END],
            "line 4: an edge leads to 'b', and no node has",
        ),
        ("a.graphml", [*XML, '<edge source="a" target="a"/>', *END], "line 4: an edge leads from 'a' to itself"),
        ("a.graphml", [*XML, '<node id="a"/>', '<node id="b"/>', *END], "line 4: two nodes have the id 'a'"),
        ("a.graphml", [*XML, '<data key="x">', "many</data>", *END], "line 4: the property x is 'many', not a finite"),
        ("a.graphml", [*XML[:2], "", *END], "line 2: the graph has no nodes"),
        ("a.graphml", [*XML, '<node id="b"><data key="t">mask</data></node>', *END], "line 4: the types 'mask' and"),
        (
            "a.graphml",
            [*XML, '<node id="b"/>', EDGE, EDGE.replace("/>", '><data key="t">thick</data></edge>'), *END],
            "line 6: 'a' and 'b' are joined by two edges",
        ),
        ("a.graphml", [*XML, '<data key="u">1</data>', *END], "line 4: the name of the property 'µ' has no letter"),
        (
            "a.graphml",
            [*XML, '<data key="x">1</data>', '<data key="X">1</data>', *END],
            "line 5: two properties are called x: 'x' and 'X'",
        ),
        ("a.graphml", [*XML, '<data key="x">1e38</data>', *END], "line 4: the property x is 1e+38, and values from"),
        (
            "a.graphml",
            [*XML, '<node id="b"/>', EDGE.replace("/>", ' directed="true"/>'), *END],
            "line 5: the edge is directed",
        ),
        ("a.graphml", ["<graphml>", '<key for="node"/>'], "line 2: a <key> has no id"),
        ("a.graphml", ['<?xml version="1.0" encoding="foo"?>', GOOD_XML], "line 1: unknown encoding: foo"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, name: str, lines: list[str], words: str) -> None:
    with pytest.raises(DataFileError) as error:
        load_file(write(tmp_path / name, *lines))

    assert words in str(error.value)


def test_graphs_without_types_have_one_of_each(tmp_path: Path) -> None:
    data = load_file(as_graphml([nx.path_graph(n) for n in range(3, 15)], tmp_path / "mine.graphml"))

    assert (data.graphs.node_types, data.graphs.edge_types) == (["node"], ["none", "edge"])


def test_defaults_of_graphml_are_taken(tmp_path: Path) -> None:
    graph = '<graph edgedefault="undirected"><node id="a"/><node id="b"><data key="k">B</data></node><edge source="a" target="b"/></graph>'
    key = '<key id="k" for="node" attr.name="type" attr.type="string"><default>A</default></key>'

    data = load_file(write(tmp_path / "mine.graphml", "<graphml>", key, *[graph] * 12, "</graphml>"))

    assert data.graphs.node_types == ["A", "B"]


@pytest.mark.parametrize("purpose", ['for="all"', ""])
def test_numbers_for_all_are_properties_of_graphs_that_have_them(tmp_path: Path, purpose: str) -> None:
    keys = [
        f'<key id="{name}" {purpose} attr.name="{name}" attr.type="double"><default>7</default></key>' for name in "xy"
    ]
    graphs = [f'<graph><data key="x">{i}</data><node id="a"><data key="y">1</data></node></graph>' for i in range(12)]

    data = load_file(write(tmp_path / "a.graphml", "<graphml>", *keys, *graphs, "</graphml>"))

    assert data.properties == ["x"]
    assert sorted(torch.cat(list(data.values.values()))[:, 0].tolist()) == list(range(12))


def test_of_graphs_that_this_service_wrote_only_properties_are_learned(tmp_path: Path) -> None:
    graph = nx.path_graph(3)
    graph.graph |= {"model": "mine", "seed": 7, "valid": True, "properties.mu": 1.5}
    paths = [tmp_path / f"{i}.graphml" for i in range(12)]
    for i, path in enumerate(paths):
        graph.graph |= {"seed": i, "properties.mu": i / 2}
        nx.write_graphml(graph, path)

    assert load_file(tmp_path).properties == ["mu"]


def test_a_model_and_a_seed_of_the_users_own_hide_no_property(tmp_path: Path) -> None:
    for i in range(12):
        graph = nx.path_graph(3)
        graph.graph |= {"model": "ER", "seed": i, "p": i / 10}
        nx.write_graphml(graph, tmp_path / f"{i}.graphml")

    assert load_file(tmp_path).properties == ["p", "seed"]
