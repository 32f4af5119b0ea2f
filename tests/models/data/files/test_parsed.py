from pathlib import Path

import pytest

from models.data.files.parsed import (
    MAX_NODES,
    DataFileError,
    LineError,
    Link,
    Node,
    ParsedGraph,
    assemble,
    number,
    numbered_lines,
    properties_of,
    property_name,
    read_entries,
    type_of,
)


def test_edges_are_between_the_places_of_their_nodes_and_one_told_twice_is_one() -> None:
    nodes = [Node(1, "b", "B"), Node(2, "a", "A")]
    links = [Link(3, "a", "b", "thin"), Link(4, "b", "a", "thin")]

    assert assemble(1, nodes, links, {"x": 2.0}) == ParsedGraph(1, ["B", "A"], [(0, 1, "thin")], {"x": 2.0})


def test_a_mistake_in_a_graph_has_the_line_of_the_node_or_edge() -> None:
    with pytest.raises(LineError, match="have a meaning of their own") as error:
        assemble(1, [Node(2, "a", "A"), Node(3, "b", "B")], [Link(9, "a", "b", "none")], {})

    assert error.value.line == 9


def test_a_graph_of_too_many_nodes_is_refused() -> None:
    nodes = [Node(1, str(i), "A") for i in range(MAX_NODES + 1)]

    with pytest.raises(LineError, match="1001 nodes, and 1000 are the most"):
        assemble(1, nodes, [], {})


def test_entries_that_can_be_read_come_before_the_error_that_names_the_others() -> None:
    def read(line: int, text: str) -> ParsedGraph:
        if text == "bad":
            raise ValueError("no graph")
        return ParsedGraph(line, [text], [])

    found: list[ParsedGraph] = []
    with pytest.raises(DataFileError) as error:
        found.extend(read_entries(Path("a.smi"), enumerate(["good", *["bad"] * 6, "good"], start=1), read))

    assert [graph.line for graph in found] == [1, 8]
    assert str(error.value) == f"a.smi, {'; '.join(f'line {i}: no graph' for i in range(2, 7))}; and 1 lines more"


def test_empty_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("\ufeffa\n\n \r\nb".encode())

    assert list(numbered_lines(path)) == [(1, "a\n"), (4, "b")]


def test_a_type_is_the_attribute_type_or_the_label_or_the_default() -> None:
    assert type_of({"type": 1, "label": "L"}, "node") == "1"
    assert type_of({"type": None, "label": "L"}, "node") == "L"
    assert type_of({}, "node") == "node"


@pytest.mark.parametrize(
    ("text", "name"),
    [("Log P", "log_p"), ("2nd", "property_2nd"), (" __x__ ", "x"), ("HOMO (eV)", "homo_ev"), ("µ", ""), ("名", "")],
)
def test_a_property_has_the_name_that_a_card_may_give_it(text: str, name: str) -> None:
    assert property_name(text) == name


@pytest.mark.parametrize(
    ("text", "value"), [("1e3", 1000.0), (" 2 ", 2.0), ("inf", None), ("nan", None), ("", None), (10**400, None)]
)
def test_a_number_is_finite(text: str | int, value: float | None) -> None:
    assert number(text) == value


def test_a_property_given_twice_by_one_name_has_the_last_value() -> None:
    assert properties_of([(1, "X", "1"), (2, "X", "2")]) == {"x": 2.0}
