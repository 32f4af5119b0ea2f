"""The formats that a graph can be written in, and which of them a caller wants.

json      networkx's node-link form                      application/json
ndjson    the same, one graph per line (whole jobs)   application/x-ndjson
graphml   GraphML                                      application/graphml+xml
smiles    canonical SMILES, of valid molecules         chemical/x-daylight-smiles
csv       a table of valid molecules (whole jobs)      text/csv
sdf       MDL SD file, of molecules                    chemical/x-mdl-sdfile
svg, png  a picture (one graph only)                   image/svg+xml, image/png
"""

import csv
import io
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from app.http.errors import NotAcceptable, shorten
from app.pictures.characters import xml_values
from app.schemas import Graph


class Format(StrEnum):
    """A format of graphs, named as in `?format=`."""

    JSON = "json"
    NDJSON = "ndjson"
    GRAPHML = "graphml"
    SMILES = "smiles"
    CSV = "csv"
    SDF = "sdf"
    SVG = "svg"
    PNG = "png"

    @property
    def media_type(self) -> str:
        """The value of the header Content-Type."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.GRAPHML: "application/graphml+xml",
    Format.SMILES: "chemical/x-daylight-smiles",
    Format.CSV: "text/csv",
    Format.SDF: "chemical/x-mdl-sdfile",
    Format.SVG: "image/svg+xml",
    Format.PNG: "image/png",
}


def negotiate_format(requested: Format | None, accept: str | None, offered: Iterable[Format]) -> Format:
    """The format requested by name, or else the best match of the header Accept; the first one offered if all match equally.

    Raises:
        NotAcceptable: if no offered format matches.
    """
    offered = list(offered)
    names = ", ".join(f"{form} ({form.media_type})" for form in offered)
    if requested is not None:
        if requested not in offered:
            raise NotAcceptable(f"{requested} is not available here; available: {names}")
        return requested
    qualities = {form: _quality(form.media_type, accept or "*/*") for form in offered}
    best = max(offered, key=lambda form: qualities[form])
    if qualities[best] <= 0:
        raise NotAcceptable(f"Accept: {shorten(accept or '')} names nothing that is available here; available: {names}")
    return best


def _quality(media_type: str, accept: str) -> float:
    """The quality value that Accept gives a media type, from its most specific matching range (RFC 9110, 12.5.1)."""
    matching = [("", 0.0)]
    for part in accept.lower().split(","):
        wanted, *parameters = (piece.strip() for piece in part.split(";"))
        if wanted in {media_type, media_type.split("/")[0] + "/*", "*/*"}:
            weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
            matching.append((wanted, float(weight) if weight.replace(".", "", 1).isdecimal() else 1.0))
    specific = max(
        matching, key=lambda found: (found[0] == media_type, bool(found[0]) and found[0] != "*/*", bool(found[0]))
    )
    return specific[1]


def serialize(graph: Graph, form: Format) -> str:
    """One graph in a text format; `app.pictures.rendering` makes pictures.

    Raises:
        NotAcceptable: if the graph has no such format: SD files are for molecules, SMILES for valid molecules.
    """
    match form:
        case Format.JSON:
            return graph.model_dump_json()
        case Format.NDJSON:
            return graph.model_dump_json() + "\n"
        case Format.GRAPHML:
            return _graphml(graph)
        case Format.SMILES:
            require_available(graph, form)
            descriptors = graph.graph.get("descriptors", {})
            return "\t".join([_smiles(graph), *map(str, descriptors.values())]) + "\n"
        case Format.CSV:
            require_available(graph, form)
            return _table([graph], has_head=True)
        case Format.SDF:
            require_available(graph, form)
            from app.pictures.rendering import sd_record  # imports RDKit, which takes half a second

            return sd_record(graph, dict(_flatten(graph.graph)))
        case Format.SVG | Format.PNG:
            raise ValueError(f"{form} is a picture")


def serialize_all(graphs: Iterable[Graph], form: Format, *, has_head: bool = True) -> str:
    """Graphs of one job in a text format, one after the other; SMILES and tables leave out what is no valid molecule.

    `has_head` is whether a table begins with the names of its columns; without rows it has none.
    """
    if form in {Format.SMILES, Format.CSV}:
        graphs = [graph for graph in graphs if graph.graph.get("smiles")]
    if form is Format.CSV:
        return _table(graphs, has_head=has_head)
    return "".join(serialize(graph, form) for graph in graphs)


def require_available(graph: Graph, form: Format) -> None:
    """Make sure that the graphs of this one's model are available in a format.

    Raises:
        NotAcceptable: if the format is for molecules only, and these are none.
    """
    missing = {Format.SMILES: "SMILES", Format.CSV: "table", Format.SDF: "SD file"}.get(form)
    if missing and "smiles" not in graph.graph:
        raise NotAcceptable(f"graphs of {graph.graph['model']} are not molecules, so they have no {missing}")


def _smiles(graph: Graph) -> str:
    smiles: str | None = graph.graph["smiles"]
    if smiles is None:
        raise NotAcceptable("this graph is not a valid molecule, so it has no SMILES; ask for json, graphml or sdf")
    return smiles


def _table(graphs: Iterable[Graph], *, has_head: bool) -> str:
    """What is known of molecules, SMILES first; valid ones of a job have the same columns."""
    rows = [{"smiles": _smiles(graph), **dict(_flatten(graph.graph))} for graph in graphs]
    if not rows:
        return ""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    if has_head:
        table.writerow({name: name.removeprefix("descriptors.") for name in rows[0]})
    table.writerows(rows)
    return text.getvalue()


def _graphml(graph: Graph) -> str:
    import networkx as nx  # slow to import

    document = xml_values(graph.model_dump() | {"graph": dict(_flatten(graph.graph))})
    return "\n".join(nx.generate_graphml(nx.node_link_graph(document, edges="edges"))) + "\n"


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested values under names like `properties.mu`, without nulls."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value
