import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
import torch

from models.data.files.load import load_file
from models.data.files.parsed import DataFileError
from models.evaluation.isomorphism import GraphSet
from models.evaluation.molecules import smiles_of
from tests.conftest import make_card
from tests.models.data.files.conftest import SMILES, all_graphs, as_graphml, as_json, labelled_graphs, write


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


def test_a_charge_that_no_atom_has_makes_no_molecule(tmp_path: Path) -> None:
    data = load_file(write(tmp_path / "a.jsonl", *['{"nodes": [{"id": 0, "type": "H+4"}]}'] * 12))

    assert data.graphs.domain == "graph"


@pytest.mark.parametrize("lines", [["a.smi", *"CNO" * 4], ["a.csv", "smiles", *"CNO" * 4]])
def test_atoms_alone_are_molecules(tmp_path: Path, lines: list[str]) -> None:
    data = load_file(write(tmp_path / lines[0], *lines[1:]))

    assert (data.graphs.domain, data.graphs.edge_types) == ("molecule", ["none", "single"])
    assert data.graphs.edge_marginals() == [1.0, 0.0], "there is no pair to count"


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


def test_graphs_of_atoms_and_bonds_are_molecules_again(tmp_path: Path) -> None:
    line = '{"nodes": [{"id": 0, "type": "C"}, {"id": 1, "type": "O"}], "edges": [{"source": 0, "target": 1, "type": "single"}]}'

    assert load_file(write(tmp_path / "mine.jsonl", *[line] * 12)).graphs.domain == "molecule"


def test_the_same_file_is_split_the_same_way(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.smi", *SMILES)

    assert torch.equal(load_file(path).graphs.test.nodes, load_file(path).graphs.test.nodes)


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("a.smi", ["C"] * 9, "holds 9 graphs; at least 10"),
        ("a.csv", ["smiles,x", *["C,1"] * 12], "the property x is 1 for every graph"),
        ("a.csv", ["smiles,x", *(f"C,{1.7e9 + i}" for i in range(12))], "single precision hardly tells apart"),
        ("a.csv", ["smiles,x", *(f"C,{i}e-32" for i in range(12))], "the property x differs by less than 1e-30 among"),
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


def test_a_folder_called_as_a_data_set_is_not_taken_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "planar"
    folder.mkdir()
    as_graphml(labelled_graphs(), folder / "all.graphml")

    assert load_file(folder).graphs.name == "planar/"


def test_names_instead_of_types_are_refused(tmp_path: Path) -> None:
    lines = [json.dumps({"nodes": [{"id": k, "type": f"node{i}-{k}"} for k in range(10)]}) for i in range(12)]

    with pytest.raises(DataFileError, match="120 types of nodes"):
        load_file(write(tmp_path / "a.jsonl", *lines))
