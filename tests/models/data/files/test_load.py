import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
import torch

from models.data.catalogue import load_labelled
from models.data.files.load import FileData, load_file
from models.data.files.parsed import DataFileError
from models.evaluation.isomorphism import GraphSet
from models.evaluation.molecules import smiles_of
from models.training.file_presets import model_preset
from tests.conftest import make_card

SMILES = ["C", "CC", "CCO", "C=O", "C#N", "c1ccccc1", "CC(=O)[O-]", "N", "CN", "CCC", "N#CCO", "C1CC1"]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def labelled_graphs(count: int = 12) -> list[nx.Graph]:
    graphs = []
    for seed in range(count):
        graph = nx.connected_watts_strogatz_graph(6 + seed % 3, 4, 0.3, seed=seed)
        nx.set_node_attributes(graph, {node: "red" if node % 3 else "blue" for node in graph}, "type")
        nx.set_edge_attributes(graph, {edge: "thin" if sum(edge) % 2 else "thick" for edge in graph.edges}, "type")
        graph.graph["density"] = nx.density(graph) + seed
        graphs.append(graph)
    return graphs


def as_json(graph: nx.Graph) -> str:
    found = nx.node_link_data(graph, edges="edges")
    return json.dumps(found | {"graph": {"properties": {"density": graph.graph["density"]}}})


def as_graphml(graphs: list[nx.Graph], path: Path) -> Path:
    writer = nx.readwrite.graphml.GraphMLWriter()
    writer.add_graphs(graphs)
    with path.open("wb") as file:
        writer.dump(file)
    return path


def all_graphs(data: FileData) -> list[tuple[list[str], list[tuple[int, int, str]]]]:
    found = data.graphs
    return [
        graph
        for part in (found.train, found.validation, found.test)
        for graph in part.labelled(found.node_types, found.edge_types)
    ]


def test_a_file_of_smiles_is_a_data_set_of_molecules(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.smi", *(f"{text} name{i}" for i, text in enumerate(SMILES)), "")

    data = load_file(path)

    assert data.graphs.domain == "molecule"
    assert data.graphs.node_types == ["C", "N", "O", "O-"]
    assert data.graphs.edge_types == ["none", "single", "double", "triple"]
    assert data.properties == []
    assert [len(data.graphs.train), len(data.graphs.validation), len(data.graphs.test)] == [10, 1, 1]
    values = {"node_types": data.graphs.node_types, "edge_types": data.graphs.edge_types}
    marginals = {"node_marginals": data.graphs.node_marginals(), "edge_marginals": data.graphs.edge_marginals()}
    card = make_card().model_copy(update=values | marginals)
    found = [text for part in ("train", "validation", "test") for text in smiles_of(card, getattr(data.graphs, part))]
    assert sorted(map(str, found)) == sorted(SMILES)


def test_hydrogens_in_brackets_may_be_those_that_are_implied(tmp_path: Path) -> None:
    smiles = [
        "[CH4]",
        "c1cc[nH]c1",
        "[NH4+]",
        "C[N+](=O)[O-]",
        "[13CH3][C@H](N)O",
        "[Na+].[Cl-]",
        "[Cu+2]",
        "C[PH](=O)O",
    ]

    data = load_file(write(tmp_path / "a.smi", *smiles, "C[SiH3]", "[BH4-]"))

    assert data.graphs.domain == "molecule"


def test_a_charge_that_no_atom_has_makes_no_molecule(tmp_path: Path) -> None:
    data = load_file(write(tmp_path / "a.jsonl", *['{"nodes": [{"id": 0, "type": "H+4"}]}'] * 12))

    assert data.graphs.domain == "graph"


@pytest.mark.parametrize("lines", [["a.smi", *"CNO" * 4], ["a.csv", "smiles", *"CNO" * 4]])
def test_atoms_alone_are_molecules(tmp_path: Path, lines: list[str]) -> None:
    data = load_file(write(tmp_path / lines[0], *lines[1:]))

    assert (data.graphs.domain, data.graphs.edge_types) == ("molecule", ["none", "single"])
    assert data.graphs.edge_marginals() == [1.0, 0.0], "there is no pair to count"


def test_numeric_columns_are_properties_and_other_columns_are_not(tmp_path: Path) -> None:
    rows = [f"mol{i},{text},{i / 2},{i}" for i, text in enumerate(SMILES)]
    path = write(tmp_path / "mine.csv", "Name,SMILES,Log P,2nd", *rows)

    data = load_file(path)

    assert data.properties == ["log_p", "property_2nd"]
    joined = torch.cat(list(data.values.values()))
    assert sorted(joined[:, 0].tolist()) == [i / 2 for i in range(12)]
    assert torch.equal(joined[:, 1], 2 * joined[:, 0])


def test_properties_stay_with_their_graphs(tmp_path: Path) -> None:
    rows = [f"{'C' * size},{size}" for size in range(1, 21)]
    data = load_file(write(tmp_path / "mine.csv", "smiles,size", *rows))

    for split, values in data.values.items():
        assert values[:, 0].tolist() == getattr(data.graphs, split).num_nodes.tolist()


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.graphml", "folder"])
def test_labelled_graphs_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    graphs = labelled_graphs()
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        for i, graph in enumerate(graphs):
            as_graphml([graph], path / f"{i:02d}.graphml")
    elif name == "mine.graphml":
        as_graphml(graphs, path)
    else:
        write(path, *map(as_json, graphs))

    data = load_file(path)

    assert data.graphs.domain == "graph"
    assert set(data.graphs.node_types) == {"red", "blue"}
    assert set(data.graphs.edge_types) == {"none", "thin", "thick"}
    assert data.properties == ["density"]
    assert sorted(torch.cat(list(data.values.values()))[:, 0].tolist()) == pytest.approx(
        sorted(graph.graph["density"] for graph in graphs)
    )
    known = GraphSet(all_graphs(data))
    for graph in graphs:
        types = [graph.nodes[node]["type"] for node in graph]
        assert (types, [(i, j, label) for i, j, label in graph.edges(data="type")]) in known


def test_graphs_without_types_have_one_of_each(tmp_path: Path) -> None:
    data = load_file(as_graphml([nx.path_graph(n) for n in range(3, 15)], tmp_path / "mine.graphml"))

    assert (data.graphs.node_types, data.graphs.edge_types) == (["node"], ["none", "edge"])


def test_graphs_of_atoms_and_bonds_are_molecules_again(tmp_path: Path) -> None:
    line = '{"nodes": [{"id": 0, "type": "C"}, {"id": 1, "type": "O"}], "edges": [{"source": 0, "target": 1, "type": "single"}]}'

    assert load_file(write(tmp_path / "mine.jsonl", *[line] * 12)).graphs.domain == "molecule"


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


def test_the_same_file_is_split_the_same_way(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.smi", *SMILES)

    assert torch.equal(load_file(path).graphs.test.nodes, load_file(path).graphs.test.nodes)


GOOD_JSON = '{"nodes": [{"id": "a"}, {"id": "b"}], "edges": [{"source": "a", "target": "b"}]}'


def with_properties(fields: str) -> str:
    return f'{{"nodes": [{{"id": 1}}], "graph": {{"properties": {{{fields}}}}}}}'


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
        ("a.smi", ["C", "", "C1CC", "CC"], "a.smi, line 3: RDKit cannot read the SMILES 'C1CC'"),
        ("a.smi", ["x("] * 9, "line 5: RDKit cannot read the SMILES 'x('; and 4 lines more"),
        ("a.smi", ["C"] * 9, "holds 9 graphs; at least 10"),
        ("a.csv", ["name,mass", "a,1"], "line 1: no column is called smiles, but 'name', 'mass'; a header names"),
        (
            "a.csv",
            ["smiles;mass", "C;1"],
            "no column is called smiles, but 'smiles;mass'; a header names the columns, with commas",
        ),
        ("a.tsv", [], "line 1: no column is called smiles, but none; a header names the columns, with tabs"),
        (
            "a.csv",
            ["smiles,x,name", "C,1,methane", 'CC,2,"ethane', *["C,1,methane"] * 20],
            "line 3: unexpected end of data",
        ),
        (
            "a.csv",
            ["smiles,x", "C,1", 'CC,"2" or so', "C,1"],
            "line 3: ',' expected after '\"'; is a quote not closed, or not doubled",
        ),
        ("a.csv", ["smiles,x,X", "C,1,2"], "line 1: more than one column is called x"),
        ("a.csv", ["smiles,x", "C,1", "CC,n/a"], "line 3: column x is 'n/a', and elsewhere a number"),
        ("a.csv", ["smiles,x", "C,1", "CC"], "line 3: 1 columns where the header has 2"),
        ("a.csv", ["smiles,x", *["C,1"] * 12], "the property x is 1 for every graph"),
        ("a.csv", ["smiles,x", *(f"C,{1.7e9 + i}" for i in range(12))], "single precision hardly tells apart"),
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
        (
            "a.csv",
            ["smiles,µ", "C,1"],
            "a.csv, line 1: the name of the property 'µ' has no letter from a to z and no digit",
        ),
        ("a.jsonl", [GOOD_JSON, with_properties('"µ": 1')], "line 2: the name of the property 'µ' has no letter"),
        ("a.jsonl", [with_properties('"": 1')], "line 1: the name of the property '' has no letter"),
        ("a.graphml", [*XML, '<data key="u">1</data>', *END], "line 4: the name of the property 'µ' has no letter"),
        ("a.csv", ["smiles,a b,a_b", "C,1,2"], "line 1: more than one column is called a_b: 'a b' and 'a_b'"),
        ("a.jsonl", [with_properties('"a b": 1, "a_b": 2')], "line 1: two properties are called a_b: 'a b' and 'a_b'"),
        (
            "a.graphml",
            [*XML, '<data key="x">1</data>', '<data key="X">1</data>', *END],
            "line 5: two properties are called x: 'x' and 'X'",
        ),
        (
            "a.csv",
            ["smiles,x", "C,1", "C,-2e38"],
            "line 3: the property x is -2e+38, and values from -1e+30 to 1e+30 can",
        ),
        ("a.jsonl", [GOOD_JSON, with_properties('"x": 1e38')], "line 2: the property x is 1e+38, and values from"),
        ("a.graphml", [*XML, '<data key="x">1e38</data>', *END], "line 4: the property x is 1e+38, and values from"),
        ("a.csv", ["smiles,x", *(f"C,{i}e-32" for i in range(12))], "the property x differs by less than 1e-30 among"),
        (
            "a.graphml",
            [*XML, '<node id="b"/>', EDGE.replace("/>", ' directed="true"/>'), *END],
            "line 5: the edge is directed",
        ),
        ("a.jsonl", [GOOD_JSON, "[" * 100_000], "line 2: lists inside lists, more than can be read"),
        ("a.smi", ["C", "[NH3]->[Cu]"], "line 2: '[NH3]->[Cu]' has a bond of the type dative; known are single"),
        ("a.smi", ["C", "[2H]C"], "line 2: '[2H]C' has H as an atom of its own"),
        ("a.smi", ["C", "[CH2]"], "line 2: '[CH2]' has an atom with more or fewer hydrogens than"),
        ("a.csv", ["smiles", "CC[O]"], "line 2: 'CC[O]' has an atom with more or fewer hydrogens than"),
        ("a.smi", ["C[PH4]"], "line 1: 'C[PH4]' has an atom with more or fewer hydrogens than"),
        ("a.smi", ["*CC"], "line 1: '*CC' has * as an atom of its own"),
        ("a.csv", ["smiles,x", 'C,"1', "2", '"', "C1CC,3"], "line 5: RDKit cannot read"),
        ("a.csv", ["smiles,name", 'C1CC,"one', 'two"', "C,three"], "line 2: RDKit cannot read"),
        ("a.jsonl", ['{"nodes": [{"id": 1}], "graph": {"properties": {"x": NaN}}}'], "property x is nan, not a finite"),
        ("a.jsonl", [f'{{"nodes": [{{"id": 1}}], "graph": {{"properties": {{"x": 1{"0" * 400}}}}}}}'], "not a finite"),
        ("a.graphml", ["<graphml>", '<key for="node"/>'], "line 2: a <key> has no id"),
        ("a.graphml", ['<?xml version="1.0" encoding="foo"?>', GOOD_XML], "line 1: unknown encoding: foo"),
        ("a.pdf", ["C"], "a.pdf ends in .pdf; known are .smi"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, name: str, lines: list[str], words: str) -> None:
    with pytest.raises(DataFileError) as error:
        load_file(write(tmp_path / name, *lines))

    assert words in str(error.value)


def test_a_property_that_some_graphs_lack_is_told(tmp_path: Path) -> None:
    def lines(graphs: list[nx.Graph], change: Callable[[str], str]) -> list[str]:
        return [as_json(graph) if i != 7 else change(as_json(graph)) for i, graph in enumerate(graphs)]

    path = write(tmp_path / "a.jsonl", *lines(labelled_graphs(), lambda text: text.replace('"density"', '"other"')))

    with pytest.raises(DataFileError, match="line 8: the property density, which other graphs have, is missing"):
        load_file(path)


def test_in_a_folder_the_file_is_named_that_lacks_a_property(tmp_path: Path) -> None:
    for i, graph in enumerate(labelled_graphs()):
        if i == 7:
            del graph.graph["density"]
        as_graphml([graph], tmp_path / f"{i:02d}.graphml")

    with pytest.raises(DataFileError, match=rf"^{tmp_path.name}/07.graphml, line \d+: the property density"):
        load_file(tmp_path)


def test_a_property_must_differ_among_the_graphs_to_train_on(tmp_path: Path) -> None:
    def odd_one(place: int) -> Path:
        rows = [f"{'C' * (1 + i)},{int(i == place)}" for i in range(20)]
        return write(tmp_path / f"{place}.csv", "smiles,x", *rows)

    # Chains of carbon: their length tells which of them are to train on.
    lengths = load_file(write(tmp_path / "a.smi", *("C" * (1 + i) for i in range(20)))).graphs.train.num_nodes.tolist()
    for place in range(20):
        if place + 1 in lengths:
            assert load_file(odd_one(place)).values["train"].std() > 0
        else:
            with pytest.raises(DataFileError, match="x is 0 for every graph to train on"):
                load_file(odd_one(place))


def test_the_largest_values_there_may_be_can_be_described(tmp_path: Path) -> None:
    rows = [f"{'C' * (1 + i % 7)},{'-' if i % 2 else ''}1e30,{i}e-30" for i in range(1_000)]

    values = load_file(write(tmp_path / "a.csv", "smiles,x,y", *rows)).values["train"]

    for column in values.T:
        assert 0 < float(column.std()) < float("inf")
        assert 0 < float((column - column.median()).abs().mean()) < float("inf")
        assert torch.histc(column, 48).sum() == len(column)


def test_one_large_graph_among_many_is_told_before_memory_is_short(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", *["C"] * 3_000, "C" * 1_000, *["C"] * 2_500)

    with pytest.raises(DataFileError, match=r"leave out the largest, like the one of 1000 nodes at a\.smi, line 3001"):
        load_file(path)


def test_a_folder_without_graphml_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.smi", *SMILES)

    with pytest.raises(DataFileError, match=r"holds no \.graphml or \.xml"):
        load_file(tmp_path)


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


@pytest.mark.parametrize("label", ["New\u00a0York", "two\nlines", "\U0001f469\u200d\U0001f52c"])
def test_a_type_may_be_any_text(tmp_path: Path, label: str) -> None:
    line = json.dumps({"nodes": [{"id": 1, "type": label}]})

    assert load_file(write(tmp_path / "a.jsonl", *[line] * 12)).graphs.node_types == [label]


def test_a_label_is_the_type_where_that_is_null_links_are_edges_and_one_told_twice_is_one(tmp_path: Path) -> None:
    line = '{"nodes": [{"id": 1, "type": null, "label": "L"}, {"id": 2, "label": "L"}], "edges": [], "links": [{"source": 1, "target": 2}, {"source": 2, "target": 1}]}'

    data = load_file(write(tmp_path / "a.jsonl", *[line] * 12))

    assert all_graphs(data) == [(["L", "L"], [(0, 1, "edge")])] * 12


@pytest.mark.parametrize(
    ("what", "resistance", "eigenvalues"), [("small", True, False), ("large", True, True), ("molecules", False, False)]
)
def test_graphs_are_told_what_hangs_together_and_large_ones_in_which_communities(
    tmp_path: Path, what: str, resistance: bool, eigenvalues: bool
) -> None:
    if what == "molecules":
        path = write(tmp_path / "a.smi", *SMILES)
    else:
        path = as_graphml([nx.path_graph(40 if what == "large" else 12) for _ in range(12)], tmp_path / "a.graphml")

    features = model_preset(path, load_labelled(str(path)), name="a", max_minutes=1.0).features

    assert (features.resistance, features.eigenvalues > 0) == (resistance, eigenvalues)


def test_a_column_without_a_name_is_no_property(tmp_path: Path) -> None:
    rows = (f"{i},{text},{i},as you like" for i, text in enumerate(SMILES))
    path = write(tmp_path / "a.csv", ",smiles,x,名", *rows)

    assert load_file(path).properties == ["x"]


@pytest.mark.parametrize("properties", ["null", "[1, 2]", '{"x": null}'])
def test_graphs_without_properties_may_say_so(tmp_path: Path, properties: str) -> None:
    line = f'{{"nodes": [{{"id": 1}}], "graph": {{"properties": {properties}}}}}'

    assert load_file(write(tmp_path / "a.jsonl", *[line] * 12)).properties == []


def test_a_folder_called_as_a_data_set_is_not_taken_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "planar"
    folder.mkdir()
    as_graphml(labelled_graphs(), folder / "all.graphml")

    assert load_file(folder).graphs.name == "planar/"


def test_names_instead_of_types_are_refused(tmp_path: Path) -> None:
    lines = [json.dumps({"nodes": [{"id": k, "type": f"node{i}-{k}"} for k in range(10)]}) for i in range(12)]

    with pytest.raises(DataFileError, match="120 types of nodes"):
        load_file(write(tmp_path / "a.jsonl", *lines))
