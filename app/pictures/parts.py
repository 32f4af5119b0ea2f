"""A part to keep, chosen node by node: its picture, and how a request gives it.

A molecule is drawn as chemists do and its part written as SMILES (`models.given.marks`). Any other graph keeps its node-link form, where
all kept nodes are open unless they are closed by name.
"""

from collections.abc import Collection, Set
from typing import Any

from rdkit import Chem

from app.http.errors import InvalidRequest
from app.pictures.appearance import Vocabulary
from app.pictures.composition import compose_choice
from app.pictures.rendering import draw_molecule, finish
from app.pictures.scene import Point, Theme
from app.pictures.svg import write_svg
from app.schemas import Given, Graph, Part, PartNode, PartRequest
from models.card.card import ModelCard
from models.card.config import MASK_TYPE
from models.given.marks import MarkedMolecule, choose, read_marked
from models.given.node_link import part_of_node_link
from models.given.partial import GivenError, PartialGraph
from models.given.read import read_conditions
from models.molecules import atom_type, to_molecule


def draw_part(request: PartRequest, card: ModelCard) -> Part:
    """The part that a request chooses, as the model of a card would be given it.

    Raises:
        InvalidRequest: if there is no such molecule, graph or node.
    """
    field = "smiles" if request.smiles is not None else "graph"
    try:
        if request.smiles is not None:
            return _part_of_molecule(read_marked(request.smiles), request, card)
        known = part_of_node_link(request.graph or {}, card.node_types, card.edge_types)
        if len(known) > card.max_nodes:
            raise GivenError(f"a graph of {len(known)} nodes, and {card.name} draws at most {card.max_nodes}")
        if molecule := _molecule(known, card):
            return _part_of_molecule(MarkedMolecule(molecule, frozenset()), request, card)
        return _part_of_graph(known, request, card)
    except GivenError as error:
        raise InvalidRequest(error.field or field, str(error)) from None


def _part_of_molecule(source: MarkedMolecule, request: PartRequest, card: ModelCard) -> Part:
    choice = choose(source, request.keep, opened=request.open, closed=request.closed)
    theme = Theme(request.theme)
    drawing, points = draw_molecule(
        source.molecule, "svg", size=request.size, theme=theme, given=choice.kept, opened=choice.open
    )
    nodes = [
        _node(
            atom_type(atom.GetSymbol(), atom.GetFormalCharge()),
            point,
            number,
            choice.kept,
            choice.open,
            choice.can_open,
        )
        for number, (atom, point) in enumerate(zip(source.molecule.GetAtoms(), points, strict=True))
    ]
    problem = choice.problem or (_problem(Given(smiles=choice.smiles), card) if choice.smiles else None)
    return Part(smiles=choice.smiles, graph=None, problem=problem, nodes=nodes, svg=finish(drawing).decode())


def _molecule(known: PartialGraph, card: ModelCard) -> Chem.Mol | None:
    """The molecule that a graph is, atoms in the order of its nodes; None if it is none, or has what only a graph can say."""
    types = [card.node_types[kind] for kind in known.nodes if kind is not None]
    size = len(known)
    if card.domain != "molecule" or known.closed or len(types) < size or len(known.pairs) < size * (size - 1) // 2:
        return None
    bonds = [(i, j, card.edge_types[kind]) for (i, j), kind in sorted(known.pairs.items()) if kind]
    molecule = to_molecule(types, bonds, hydrogens_are_drawn=card.hydrogens_are_drawn)
    if Chem.DetectChemistryProblems(molecule):
        return None
    Chem.SanitizeMol(molecule)
    return Chem.RemoveHs(molecule)


def _part_of_graph(whole: PartialGraph, request: PartRequest, card: ModelCard) -> Part:
    numbers = range(len(whole))
    for name, chosen in {"keep": request.keep or (), "open": request.open, "closed": request.closed}.items():
        if wrong := sorted(set(chosen) - set(numbers)):
            raise InvalidRequest(name, f"there is no node {wrong[0]}; nodes are numbered from 0 to {len(whole) - 1}")
    kept = frozenset(numbers if request.keep is None else request.keep)
    opened = (kept - whole.closed | (kept & set(request.open))) - set(request.closed)
    svg, points = _picture(whole, kept, opened, request, card)
    part = _node_link(whole, kept, opened, card) if kept else None
    return Part(
        smiles=None,
        graph=part,
        problem=_problem(Given(graph=part), card) if part else None,
        nodes=[_node(_type(whole, number, card), points[number], number, kept, opened, kept) for number in numbers],
        svg=svg,
    )


def _picture(
    whole: PartialGraph, kept: Collection[int], opened: Collection[int], request: PartRequest, card: ModelCard
) -> tuple[str, list[Point]]:
    nodes = [{"id": i, "type": _type(whole, i, card), "given": i in kept} for i in range(len(whole))]
    edges = [
        {"source": i, "target": j, "type": card.edge_types[kind]}
        for (i, j), kind in sorted(whole.pairs.items())
        if kind
    ]
    about = {"smiles": None, "valid": False} if card.domain == "molecule" else {}
    graph = Graph(graph={"model": card.name, **about}, nodes=nodes, edges=edges)
    vocabulary = Vocabulary(card.node_types, card.edge_types[1:])
    scene, points = compose_choice(graph, vocabulary, opened, size=request.size, theme=Theme(request.theme))
    return write_svg(scene), points


def _node_link(whole: PartialGraph, kept: Set[int], opened: Collection[int], card: ModelCard) -> dict[str, Any]:
    """The kept nodes as `given.graph` takes them: pairs that nothing is known of are open."""
    nodes = [
        {"id": i}
        | ({"type": card.node_types[kind]} if (kind := whole.nodes[i]) is not None else {})
        | ({} if i in opened else {"closed": True})
        for i in sorted(kept)
    ]
    pairs = {pair: kind for pair, kind in whole.pairs.items() if kept >= {*pair}}
    knows_all = len(pairs) == len(kept) * (len(kept) - 1) // 2
    edges = [
        {"source": i, "target": j, "type": card.edge_types[kind]}
        for (i, j), kind in sorted(pairs.items())
        if kind or not knows_all
    ]
    return {"nodes": nodes, "edges": edges} | ({} if knows_all else {"open": True})


def _node(
    type_: str, point: Point, number: int, kept: Set[int], opened: Collection[int], can_open: Collection[int]
) -> PartNode:
    x, y = point
    return PartNode(
        type=type_,
        x=round(x, 1),
        y=round(y, 1),
        kept=number in kept,
        open=number in opened,
        can_open=number in can_open,
    )


def _type(whole: PartialGraph, number: int, card: ModelCard) -> str:
    kind = whole.nodes[number]
    if kind is None:
        return card.node_types[0] if len(card.node_types) == 1 else MASK_TYPE
    return card.node_types[kind]


def _problem(given: Given, card: ModelCard) -> str | None:
    """What would be said of a request that gives this part."""
    try:
        read_conditions(given, None, card)
    except GivenError as error:
        return str(error)
    return None
