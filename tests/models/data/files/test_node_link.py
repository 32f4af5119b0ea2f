import json
from pathlib import Path

import pytest

from models.data.files.load import load_file
from models.data.files.parsed import DataFileError
from tests.models.data.files.conftest import all_graphs, write

GOOD_JSON = '{"nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"source": "a", "target": "b"}]}'


def with_properties(fields: str) -> str:
    return f'{{"nodes": [{{"id": 1}}], "graph": {{"properties": {{{fields}}}}}}}'


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("a.jsonl", [GOOD_JSON, "{"], "a.jsonl, line 2: not JSON"),
        ("a.jsonl", [GOOD_JSON, "1"], "line 2: no node-link graph"),
        ("a.json", [f"[{GOOD_JSON}]"], "line 1: a list; a line is one graph"),
        (
            "a.jsonl",
            [r'{"nodes": [{"id": 1, "type": "\ud800"}]}'],
            r"line 1: the type '\ud800' has half of a character",
        ),
        ("a.jsonl", ['{"nodes": [{"id": 1}], "edges": {}, "links": []}'], "line 1: nodes and edges must be lists"),
        ("a.jsonl", ['{"nodes": []}'], "line 1: the graph has no nodes"),
        ("a.jsonl", ['{"nodes": [{"id": 1}, {"id": 1}]}'], "line 1: two nodes have the id '1'"),
        ("a.jsonl", ['{"nodes": [{"id": 1}], "edges": [{"source": 1}]}'], "line 1: an edge has no target"),
        ("a.jsonl", ['{"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 2}]}'], "no node has that id"),
        ("a.jsonl", ['{"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 1}]}'], "loops are not supported"),
        ("a.jsonl", ['{"nodes": [{"id": 1}], "directed": true}'], "directed graphs and multigraphs"),
        ("a.jsonl", ['{"nodes": [{"id": 1, "type": "mask"}]}'], "have a meaning of their own"),
        ("a.jsonl", [GOOD_JSON, with_properties('"µ": 1')], "line 2: the name of the property 'µ' has no letter"),
        ("a.jsonl", [with_properties('"": 1')], "line 1: the name of the property '' has no letter"),
        ("a.jsonl", [with_properties('"a b": 1, "a_b": 2')], "line 1: two properties are called a_b: 'a b' and 'a_b'"),
        ("a.jsonl", [GOOD_JSON, with_properties('"x": 1e38')], "line 2: the property x is 1e+38, and values from"),
        ("a.jsonl", [GOOD_JSON, "[" * 100_000], "line 2: lists inside lists, more than can be read"),
        ("a.jsonl", ['{"nodes": [{"id": 1}], "graph": {"properties": {"x": NaN}}}'], "property x is nan, not a finite"),
        ("a.jsonl", [f'{{"nodes": [{{"id": 1}}], "graph": {{"properties": {{"x": 1{"0" * 400}}}}}}}'], "not a finite"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, name: str, lines: list[str], words: str) -> None:
    with pytest.raises(DataFileError) as error:
        load_file(write(tmp_path / name, *lines))

    assert words in str(error.value)


@pytest.mark.parametrize("label", ["New\u00a0York", "two\nlines", "\U0001f469\u200d\U0001f52c"])
def test_a_type_may_be_any_text(tmp_path: Path, label: str) -> None:
    line = json.dumps({"nodes": [{"id": 1, "type": label}]})

    assert load_file(write(tmp_path / "a.jsonl", *[line] * 12)).graphs.node_types == [label]


def test_a_label_is_the_type_where_that_is_null_links_are_edges_and_one_told_twice_is_one(tmp_path: Path) -> None:
    line = '{"nodes": [{"id": 1, "type": null, "label": "L"}, {"id": 2, "label": "L"}], "edges": [], "links": [{"source": 1, "target": 2}, {"source": 2, "target": 1}]}'

    data = load_file(write(tmp_path / "a.jsonl", *[line] * 12))

    assert all_graphs(data) == [(["L", "L"], [(0, 1, "edge")])] * 12


@pytest.mark.parametrize("properties", ["null", "[1, 2]", '{"x": null}'])
def test_graphs_without_properties_may_say_so(tmp_path: Path, properties: str) -> None:
    line = f'{{"nodes": [{{"id": 1}}], "graph": {{"properties": {properties}}}}}'

    assert load_file(write(tmp_path / "a.jsonl", *[line] * 12)).properties == []
