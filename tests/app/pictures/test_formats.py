import json

import networkx as nx
import pytest

from app.http.errors import NotAcceptable
from app.pictures.formats import Format, negotiate_format, require_available, serialize, serialize_all
from app.pictures.rendering import render_picture
from app.schemas import Graph

OFFERED = (Format.JSON, Format.GRAPHML, Format.SMILES)
ATOMS = [{"id": i, "type": label, "element": label, "charge": 0} for i, label in enumerate("CO")]
METHANOL = Graph(
    graph={"model": "m", "seed": 1, "smiles": "CO", "valid": True, "properties": {"mu": 1.5, "none": None}},
    nodes=ATOMS,
    edges=[{"source": 0, "target": 1, "type": "single"}],
)
BROKEN = METHANOL.model_copy(update={"graph": METHANOL.graph | {"smiles": None, "valid": False}})
PLAIN = Graph(graph={"model": "m", "seed": 1}, nodes=[{"id": 0, "type": "node"}], edges=[])


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Format.JSON),
        ("*/*", Format.JSON),
        ("application/*;q=0.5, chemical/x-daylight-smiles", Format.SMILES),
        ("application/json;q=0.1, application/graphml+xml;q=0.2", Format.GRAPHML),
        ("application/json;q=0, application/*", Format.GRAPHML),
        ("*/*;q=0.1, Application/GraphML+XML", Format.GRAPHML),
        ("application/json;q=much", Format.JSON),
    ],
)
def test_the_most_specific_range_decides_how_much_a_form_is_wanted(accept: str | None, form: Format) -> None:
    assert negotiate_format(None, accept, OFFERED) is form


def test_a_form_that_is_named_goes_before_accept() -> None:
    assert negotiate_format(Format.SMILES, "application/json", OFFERED) is Format.SMILES


@pytest.mark.parametrize(("requested", "accept"), [(Format.PNG, None), (None, "image/*"), (None, "*/*;q=0")])
def test_what_is_not_offered_is_refused_with_what_is(requested: Format | None, accept: str | None) -> None:
    with pytest.raises(NotAcceptable, match=r"available: json \(application/json\), graphml"):
        negotiate_format(requested, accept, OFFERED)


def test_a_graph_is_the_same_in_every_text() -> None:
    lines, graphml = serialize(METHANOL, Format.NDJSON), nx.parse_graphml(serialize(METHANOL, Format.GRAPHML))

    assert Graph.model_validate(json.loads(lines)) == METHANOL
    assert lines.count("\n") == 1
    assert graphml.graph["properties.mu"] == 1.5
    assert "properties.none" not in graphml.graph
    assert serialize(METHANOL, Format.SMILES) == "CO\n"
    assert serialize(METHANOL, Format.SDF).endswith("$$$$\n")


def test_what_is_no_molecule_has_no_chemical_form() -> None:
    with pytest.raises(NotAcceptable, match="this graph is not a valid molecule"):
        serialize(BROKEN, Format.SMILES)
    with pytest.raises(NotAcceptable, match="graphs of m are not molecules, so they have no SD file"):
        require_available(PLAIN, Format.SDF)
    require_available(PLAIN, Format.GRAPHML)


def test_a_picture_is_no_text() -> None:
    with pytest.raises(ValueError, match="svg is a picture"):
        serialize(METHANOL, Format.SVG)


@pytest.mark.parametrize("form", [Format.SMILES, Format.CSV, Format.SDF])
def test_a_valid_graph_without_chemistry_is_no_molecule(form: Format) -> None:
    planar = Graph(graph={"model": "planar", "valid": True}, nodes=[{"id": 0, "type": "node"}], edges=[])

    with pytest.raises(NotAcceptable, match="graphs of planar are not molecules"):
        serialize(planar, form)
    assert render_picture(planar, "svg") == render_picture(
        planar.model_copy(update={"graph": {"model": "planar", "valid": False}}), "svg"
    )


def test_molecules_with_descriptors_have_them_in_tables_smiles_and_sd_files() -> None:
    described = METHANOL.model_copy(
        update={"graph": METHANOL.graph | {"descriptors": {"mw": 32.042, "hbd": 1, "formula": "CH4O"}}}
    )

    assert serialize_all([BROKEN, described, BROKEN], Format.SMILES) == "CO\t32.042\t1\tCH4O\n"
    assert serialize_all([BROKEN, described, described], Format.CSV) == (
        "smiles,model,seed,valid,properties.mu,mw,hbd,formula\n" + 2 * "CO,m,1,True,1.5,32.042,1,CH4O\n"
    )
    assert serialize(described, Format.CSV) == serialize_all([described], Format.CSV)
    assert ">  <descriptors.mw>\n32.042\n" in serialize(described, Format.SDF)


def test_a_table_has_its_head_once_and_none_without_rows() -> None:
    head, *rows = serialize_all([METHANOL, METHANOL], Format.CSV).splitlines()

    assert head == "smiles,model,seed,valid,properties.mu"
    assert serialize_all([METHANOL], Format.CSV, has_head=False).splitlines() == rows[:1]
    assert serialize_all([BROKEN], Format.CSV) == ""
