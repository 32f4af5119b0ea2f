"""Graphs in the forms that other programs read, and which of them a caller wants.

json      node-link, as the wire format has it         application/json
ndjson    the same, a graph a line (whole jobs only)   application/x-ndjson
graphml   GraphML                                      application/graphml+xml
smiles    canonical SMILES, of valid molecules         chemical/x-daylight-smiles
sdf       MDL SD file, of molecules                    chemical/x-mdl-sdfile
svg, png  a picture (one graph only)                   image/svg+xml, image/png
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from app.http.errors import NotAcceptable
from app.schemas import Graph


class Format(StrEnum):
    """A form of a graph, called as `?format=` has it."""

    JSON = "json"
    NDJSON = "ndjson"
    GRAPHML = "graphml"
    SMILES = "smiles"
    SDF = "sdf"
    SVG = "svg"
    PNG = "png"

    @property
    def media_type(self) -> str:
        """What the header Content-Type says."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.GRAPHML: "application/graphml+xml",
    Format.SMILES: "chemical/x-daylight-smiles",
    Format.SDF: "chemical/x-mdl-sdfile",
    Format.SVG: "image/svg+xml",
    Format.PNG: "image/png",
}


def choose(asked: Format | None, accept: str | None, offered: Iterable[Format]) -> Format:
    """The format asked for by name, or else the one that the header Accept likes best; the first offered if it does not mind.

    Raises:
        NotAcceptable: if it is not offered.
    """
    offered = list(offered)
    names = ", ".join(f"{form} ({form.media_type})" for form in offered)
    if asked is not None:
        if asked not in offered:
            raise NotAcceptable(f"{asked} is not to be had here; available: {names}")
        return asked
    liked = {form: _liking(form.media_type, accept or "*/*") for form in offered}
    best = max(offered, key=lambda form: liked[form])
    if liked[best] <= 0:
        raise NotAcceptable(f"Accept: {accept} names nothing that is to be had here; available: {names}")
    return best


def _liking(media_type: str, accept: str) -> float:
    """How much Accept wants a media type, from 0 to 1; the most specific range that fits says it (RFC 9110, 12.5.1)."""
    fitting = [("", 0.0)]
    for part in accept.lower().split(","):
        wanted, *parameters = (piece.strip() for piece in part.split(";"))
        if wanted in {media_type, media_type.split("/")[0] + "/*", "*/*"}:
            weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
            fitting.append((wanted, float(weight) if weight.replace(".", "", 1).isdecimal() else 1.0))
    specific = max(
        fitting, key=lambda found: (found[0] == media_type, bool(found[0]) and found[0] != "*/*", bool(found[0]))
    )
    return specific[1]


def write(graph: Graph, form: Format) -> str:
    """One graph in a format that is text; pictures are made by `app.pictures.rendering`.

    Raises:
        NotAcceptable: if it cannot be written so: only molecules are SMILES and SD files, and only valid ones SMILES.
    """
    match form:
        case Format.JSON:
            return graph.model_dump_json()
        case Format.NDJSON:
            return graph.model_dump_json() + "\n"
        case Format.GRAPHML:
            return _graphml(graph)
        case Format.SMILES:
            require_form(graph, form)
            return f"{_smiles(graph)}\n"
        case Format.SDF:
            require_form(graph, form)
            from app.pictures.rendering import sd_record  # brings RDKit along, which takes half a second

            return sd_record(graph, dict(_flat(graph.graph)))
        case Format.SVG | Format.PNG:
            raise ValueError(f"{form} is a picture")


def require_form(graph: Graph, form: Format) -> None:
    """Make sure that graphs of this one's model have a format.

    Raises:
        NotAcceptable: if they are no molecules, and only molecules have it.
    """
    if form in {Format.SMILES, Format.SDF} and "valid" not in graph.graph:
        lack = "there is no SD file of them" if form is Format.SDF else "they have no SMILES"
        raise NotAcceptable(f"graphs of {graph.graph['model']} are no molecules, so {lack}")


def _smiles(graph: Graph) -> str:
    smiles: str | None = graph.graph["smiles"]
    if smiles is None:
        raise NotAcceptable("this graph is not a valid molecule, so it has no SMILES; ask for json, graphml or sdf")
    return smiles


def _graphml(graph: Graph) -> str:
    import networkx as nx  # slow to import

    document = graph.model_dump()
    document["graph"] = dict(_flat(graph.graph))
    return "\n".join(nx.generate_graphml(nx.node_link_graph(document, edges="edges"))) + "\n"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested values under names like `properties.mu`; nulls left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value
