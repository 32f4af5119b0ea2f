"""Names of types with characters that formats of files cannot hold."""

import io
from xml.etree import ElementTree

import networkx
import pytest

from app.pictures.appearance import EMPTY_VOCABULARY, choose_appearance
from app.pictures.characters import one_line, xml_text
from app.pictures.composition import compose_scene
from app.pictures.formats import Format, serialize
from app.pictures.scene import Theme
from app.pictures.svg import write_svg
from app.schemas import Graph

FORBIDDEN = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]))
# C1 control characters, a tab and what stands outside of the first plane are allowed.
ALLOWED = "\t\x7f\x9b\u202e\U0001f600 <&>\"'"


def graph(name: str) -> Graph:
    nodes = [{"id": number, "type": name, f"key {name}": name} for number in (0, 1)]
    edges = [{"source": 0, "target": 1, "type": name, "more": name}]
    return Graph(graph={"model": name, "seed": 1, "nested": {name: name}}, nodes=nodes, edges=edges)


@pytest.mark.parametrize("character", [*FORBIDDEN, ALLOWED])
def test_graphml_can_be_read_whatever_types_are_called(character: str) -> None:
    text = serialize(graph(f"a{character}b"), Format.GRAPHML)

    read = networkx.read_graphml(io.BytesIO(text.encode()))
    expected = f"a{character}b" if character == ALLOWED else "a\ufffdb"
    assert [data["type"] for _, data in read.nodes(data=True)] == [expected] * 2
    assert [data["more"] for _, _, data in read.edges(data=True)] == [expected]
    assert read.graph["model"] == expected


def test_a_picture_can_be_read_whatever_types_are_called() -> None:
    drawn = graph(f"a{FORBIDDEN}b")

    scene = compose_scene(
        drawn, choose_appearance(drawn, EMPTY_VOCABULARY), EMPTY_VOCABULARY, size=200, theme=Theme.LIGHT
    )

    ElementTree.fromstring(write_svg(scene))


def test_what_xml_allows_stays_as_it_is() -> None:
    assert xml_text(ALLOWED) == ALLOWED
    assert xml_text(FORBIDDEN) == "\ufffd" * len(FORBIDDEN)


def test_a_value_in_an_sd_file_is_one_line() -> None:
    from app.pictures.rendering import sd_record

    molecule = Graph(
        graph={"model": "m", "seed": 1, "valid": True, "smiles": "C"},
        nodes=[{"id": 0, "type": "C", "element": "C", "charge": 0}],
        edges=[],
    )

    record = sd_record(molecule, {"note": "a\n$$$$\r\n\u2028b"})

    assert record.count("\n$$$$\n") == 1
    assert ">  <note>\na $$$$ b\n\n" in record
    assert one_line("a b") == "a b"
