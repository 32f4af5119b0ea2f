"""Pictures of graphs, and molecules as SD files. The only module of the API that uses RDKit.

RDKit draws valid molecules as chemists do. Everything else, and every frame of an animation, is a scene
(`app.pictures.scene`), which RDKit's canvas turns into PNG because it brings its own font.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias

from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point2D

from app.pictures.appearance import EMPTY_VOCABULARY, Appearance, Vocabulary, choose_appearance, given_nodes
from app.pictures.characters import one_line
from app.pictures.colours import ELEMENT_COLOURS, rgb
from app.pictures.composition import MIN_SIZE_WITH_LEGEND, compose_animation, compose_scene
from app.pictures.layout import Positions
from app.pictures.scene import Circle, Lines, Point, Scene, Text, Theme
from app.pictures.svg import write_animation, write_svg
from app.schemas import Graph, Trajectory
from models.molecules import to_molecule

_Drawing: TypeAlias = rdMolDraw2D.MolDraw2DSVG | rdMolDraw2D.MolDraw2DCairo
_ATOMIC_NUMBERS = {"N": 7, "O": 8, "F": 9}
# The length of a bond as a share of the picture's width, at most.
_MAX_BOND_LENGTH = 0.16


def molecule_of(graph: Graph) -> Chem.Mol:
    """The molecule of a graph with atoms and bonds, atoms in the order of its nodes; valid or not."""
    index = {node["id"]: number for number, node in enumerate(graph.nodes)}
    bonds = [(index[edge["source"]], index[edge["target"]], edge["type"]) for edge in graph.edges]
    hydrogens_are_drawn = any(node["element"] == "H" for node in graph.nodes)
    molecule = to_molecule([node["type"] for node in graph.nodes], bonds, hydrogens_are_drawn=hydrogens_are_drawn)
    if graph.graph["valid"]:
        Chem.SanitizeMol(molecule)
    else:
        molecule.UpdatePropertyCache(strict=False)
    return molecule.GetMol()


def sd_record(graph: Graph, data: Mapping[str, Any]) -> str:
    """A record of an SD file (CTfile formats, BIOVIA 2020) with its data and 2D coordinates."""
    molecule = molecule_of(graph)
    rdDepictor.Compute2DCoords(molecule)
    block = Chem.MolToMolBlock(molecule, kekulize=graph.graph["valid"])
    items = "".join(f">  <{name}>\n{one_line(str(value))}\n\n" for name, value in data.items())
    return f"{block}{items}$$$$\n"


def render_picture(
    graph: Graph,
    form: Literal["svg", "png"],
    *,
    size: int = 480,
    theme: Theme = Theme.LIGHT,
    vocabulary: Vocabulary = EMPTY_VOCABULARY,
) -> bytes:
    """A graph as SVG or PNG, `size` pixels wide and high: the same picture for the same graph and vocabulary."""
    if graph.graph.get("smiles") is not None:
        given = given_nodes(graph)
        drawing, _ = draw_molecule(molecule_of(graph), form, size=size, theme=theme, given=given)
        if given and size >= MIN_SIZE_WITH_LEGEND:
            _write_legend(drawing, size, theme)
        return finish(drawing)
    scene = compose_scene(graph, choose_appearance(graph, vocabulary), vocabulary, size=size, theme=theme)
    return write_svg(scene).encode() if form == "svg" else _png(scene)


def render_animation(
    graph: Graph,
    trajectory: Trajectory,
    *,
    size: int = 480,
    theme: Theme = Theme.LIGHT,
    vocabulary: Vocabulary = EMPTY_VOCABULARY,
) -> bytes:
    """A graph's trajectory as an animated SVG (`app.pictures.svg`)."""
    if graph.graph.get("smiles") is not None:
        appearance = Appearance(_atom_positions(molecule_of(graph)))
    else:
        appearance = choose_appearance(graph, vocabulary)
    scenes = compose_animation(graph, trajectory, appearance, vocabulary, size=size, theme=theme)
    return write_animation(scenes, [(frame.step, frame.t) for frame in trajectory.frames]).encode()


def _atom_positions(molecule: Chem.Mol) -> Positions:
    rdDepictor.Compute2DCoords(molecule)
    positions: Positions = molecule.GetConformer().GetPositions()[:, :2]
    return positions


def draw_molecule(
    molecule: Chem.Mol,
    form: str,
    *,
    size: int,
    theme: Theme,
    given: Collection[int] = (),
    opened: Collection[int] = (),
) -> tuple[_Drawing, list[Point]]:
    """A sanitised molecule with some atoms highlighted, and rings about others; where each atom is, in pixels."""
    drawing = rdMolDraw2D.MolDraw2DSVG(size, size) if form == "svg" else rdMolDraw2D.MolDraw2DCairo(size, size)
    options: Any = drawing.drawOptions()  # the type stubs are wrong about its attributes
    if theme is Theme.DARK:
        rdMolDraw2D.SetDarkMode(options)
    options.setBackgroundColour(rgb(theme.background))
    options.updateAtomPalette(
        {number: rgb(_lightened(ELEMENT_COLOURS[name], theme)) for name, number in _ATOMIC_NUMBERS.items()}
    )
    options.fixedBondLength = _MAX_BOND_LENGTH * size
    options.padding = 0.08
    options.standardColoursForHighlightedAtoms = True
    options.setHighlightColour(rgb(theme.given))
    bonds = [
        bond.GetIdx() for bond in molecule.GetBonds() if {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} <= {*given}
    ]
    rdMolDraw2D.PrepareAndDrawMolecule(drawing, molecule, highlightAtoms=sorted(given), highlightBonds=bonds)
    points = [(point.x, point.y) for point in map(drawing.GetDrawCoords, range(molecule.GetNumAtoms()))]
    for atom in sorted(opened):
        _draw_ring(drawing, points[atom], 0.045 * size, theme)
    return drawing, points


def finish(drawing: _Drawing) -> bytes:
    """The file of a drawing that is complete."""
    drawing.FinishDrawing()
    drawn: str | bytes = drawing.GetDrawingText()
    return drawn.encode() if isinstance(drawn, str) else drawn


def _write_legend(drawing: _Drawing, size: int, theme: Theme) -> None:
    x, y = size / 2 - 28, size - 12
    drawing.SetFillPolys(True)
    drawing.SetColour(rgb(theme.given))
    drawing.DrawEllipse(Point2D(x - 6, y - 6), Point2D(x + 6, y + 6), True)
    drawing.SetColour(rgb(theme.text))
    drawing.SetFontSize(13)
    drawing.DrawString("given", Point2D(x + 10, y), 1, True)


def _draw_ring(drawing: _Drawing, centre: Point, radius: float, theme: Theme) -> None:
    drawing.SetFillPolys(False)
    drawing.SetColour(rgb(theme.text))
    drawing.SetLineWidth(2)
    x, y = centre
    drawing.DrawEllipse(Point2D(x - radius, y - radius), Point2D(x + radius, y + radius), True)


def _png(scene: Scene) -> bytes:
    canvas = rdMolDraw2D.MolDraw2DCairo(int(scene.width), int(scene.height))
    canvas.drawOptions().setBackgroundColour(rgb(scene.background))
    canvas.ClearDrawing()
    for shape in scene.shapes:
        match shape:
            case Lines():
                canvas.SetColour(rgb(shape.colour))
                canvas.SetLineWidth(shape.width)
                for start, end in shape.segments:
                    canvas.DrawLine(Point2D(*start), Point2D(*end), True)
            case Circle():
                (x, y), radius = shape.centre, shape.radius
                canvas.SetFillPolys(shape.fill is not None)
                canvas.SetColour(rgb(shape.fill or shape.outline or scene.background))
                canvas.SetLineWidth(1)
                canvas.DrawEllipse(Point2D(x - radius, y - radius), Point2D(x + radius, y + radius), True)
            case Text():
                canvas.SetColour(rgb(shape.colour))
                canvas.SetFontSize(shape.size)
                align = 0 if shape.anchor == "middle" else 1
                canvas.DrawString(shape.content, Point2D(*shape.position), align, True)
    return finish(canvas)


def _lightened(colour: str, theme: Theme) -> str:
    """The colour, light enough for letters on the theme's background."""
    if theme is Theme.LIGHT:
        return colour
    return "#" + "".join(f"{(int(colour[at : at + 2], 16) + 255) // 2:02x}" for at in (1, 3, 5))
