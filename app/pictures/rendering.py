"""Pictures of graphs, and molecules as chemists' programs have them. The one module of the API that knows RDKit.

A valid molecule is drawn as chemists draw it. Everything else, and every frame of a film, is a scene (`app.drawing`);
RDKit's canvas, which brings its own letters, turns that into PNG.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point2D

from app.pictures.composition import ELEMENTS, NO_TYPES, Look, Vocabulary, compose, compose_film, look_at
from app.pictures.scene import Circle, Lines, Scene, Text, Theme
from app.pictures.svg import write_film, write_svg
from app.schemas import Graph, Trajectory
from models import molecules

_ATOMIC_NUMBERS = {"N": 7, "O": 8, "F": 9}
# A bond is no longer than this share of the picture's width.
_LONGEST_BOND = 0.16


def to_molecule(graph: Graph) -> Chem.Mol:
    """The molecule of a graph with atoms and bonds, atoms in the order of its nodes; valid or not."""
    place = {node["id"]: index for index, node in enumerate(graph.nodes)}
    molecule = molecules.to_molecule(
        [molecules.atom_type(node["element"], node["charge"]) for node in graph.nodes],
        [(place[edge["source"]], place[edge["target"]], edge["type"]) for edge in graph.edges],
        hydrogens_are_drawn=any(node["element"] == "H" for node in graph.nodes),
    )
    if graph.graph["valid"]:
        Chem.SanitizeMol(molecule)
    else:
        molecule.UpdatePropertyCache(strict=False)
    return molecule.GetMol()


def sd_record(graph: Graph, data: Mapping[str, Any]) -> str:
    """A record of an SD file (CTfile formats, BIOVIA 2020) with its data, the molecule laid out in the plane."""
    molecule = to_molecule(graph)
    rdDepictor.Compute2DCoords(molecule)
    block = Chem.MolToMolBlock(molecule, kekulize=graph.graph["valid"])
    items = "".join(f">  <{name}>\n{value}\n\n" for name, value in data.items())
    return f"{block}{items}$$$$\n"


def picture(
    graph: Graph,
    form: Literal["svg", "png"],
    *,
    size: int = 480,
    theme: Theme = Theme.LIGHT,
    vocabulary: Vocabulary = NO_TYPES,
) -> bytes:
    """A graph as SVG or PNG, `size` pixels wide and high: the same picture for the same graph and vocabulary."""
    if graph.graph.get("valid"):
        return _draw_molecule(to_molecule(graph), form, size, theme)
    scene = compose(graph, look_at(graph, vocabulary), vocabulary, size=size, theme=theme)
    return write_svg(scene).encode() if form == "svg" else _png(scene)


def film(
    graph: Graph,
    trajectory: Trajectory,
    *,
    size: int = 480,
    theme: Theme = Theme.LIGHT,
    vocabulary: Vocabulary = NO_TYPES,
) -> bytes:
    """A graph's way from noise as SVG that plays by itself (`app.pictures.svg`)."""
    look = Look(_places(to_molecule(graph))) if graph.graph.get("valid") else look_at(graph, vocabulary)
    scenes = compose_film(graph, trajectory, look, vocabulary, size=size, theme=theme)
    return write_film(scenes, [(frame.step, frame.t) for frame in trajectory.frames]).encode()


def _places(molecule: Chem.Mol) -> np.ndarray[Any, np.dtype[np.float64]]:
    rdDepictor.Compute2DCoords(molecule)
    places: np.ndarray[Any, np.dtype[np.float64]] = molecule.GetConformer().GetPositions()[:, :2]
    return places


def _draw_molecule(molecule: Chem.Mol, form: str, size: int, theme: Theme) -> bytes:
    drawing = rdMolDraw2D.MolDraw2DSVG(size, size) if form == "svg" else rdMolDraw2D.MolDraw2DCairo(size, size)
    options: Any = drawing.drawOptions()  # the type stubs take its numbers for options
    if theme is Theme.DARK:
        rdMolDraw2D.SetDarkMode(options)
    options.setBackgroundColour(_channels(theme.background))
    options.updateAtomPalette(
        {number: _channels(_bright(ELEMENTS[name], theme)) for name, number in _ATOMIC_NUMBERS.items()}
    )
    options.fixedBondLength = _LONGEST_BOND * size
    options.padding = 0.08
    rdMolDraw2D.PrepareAndDrawMolecule(drawing, molecule)
    drawing.FinishDrawing()
    drawn: str | bytes = drawing.GetDrawingText()
    return drawn.encode() if isinstance(drawn, str) else drawn


def _png(scene: Scene) -> bytes:
    canvas = rdMolDraw2D.MolDraw2DCairo(int(scene.width), int(scene.height))
    canvas.drawOptions().setBackgroundColour(_channels(scene.background))
    canvas.ClearDrawing()
    for shape in scene.shapes:
        match shape:
            case Lines():
                canvas.SetColour(_channels(shape.colour))
                canvas.SetLineWidth(shape.width)
                for start, end in shape.ends:
                    canvas.DrawLine(Point2D(*start), Point2D(*end), True)
            case Circle():
                (x, y), radius = shape.centre, shape.radius
                canvas.SetFillPolys(shape.fill is not None)
                canvas.SetColour(_channels(shape.fill or shape.outline or scene.background))
                canvas.SetLineWidth(1)
                canvas.DrawEllipse(Point2D(x - radius, y - radius), Point2D(x + radius, y + radius), True)
            case Text():
                canvas.SetColour(_channels(shape.colour))
                canvas.SetFontSize(shape.size)
                align = 0 if shape.anchor == "middle" else 1
                canvas.DrawString(shape.words, Point2D(*shape.place), align, True)
    canvas.FinishDrawing()
    drawn: bytes = canvas.GetDrawingText()
    return drawn


def _bright(colour: str, theme: Theme) -> str:
    """A colour that letters can have on the theme's background."""
    if theme is Theme.LIGHT:
        return colour
    return "#" + "".join(f"{(int(colour[at : at + 2], 16) + 255) // 2:02x}" for at in (1, 3, 5))


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
