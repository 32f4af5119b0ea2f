"""What a request gives, read against the card of its model: parts to keep, and a graph to begin near.

The API reads it to refuse what no graph can have before it is queued; the worker reads it again to draw. Both get the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from networkx import Graph
from networkx.algorithms.isomorphism import GraphMatcher
from rdkit import Chem

from models.card.card import ModelCard
from models.given.formula import Formula, parse_formula, with_formula
from models.given.node_link import part_of_node_link
from models.given.partial import GivenError, PartialGraph
from models.given.smiles import graph_of_smiles, parts_of_smiles
from models.molecules import to_molecule

_NOTHING = PartialGraph((), {})


@runtime_checkable
class GivenSource(Protocol):
    """What a request says that it gives: a SMILES with `*` or a node-link graph, and a formula."""

    @property
    def smiles(self) -> str | None: ...
    @property
    def formula(self) -> str | None: ...
    @property
    def graph(self) -> Mapping[str, Any] | None: ...


@runtime_checkable
class NearSource(Protocol):
    """The graph that a request wants to begin near: a SMILES or a node-link graph."""

    @property
    def smiles(self) -> str | None: ...
    @property
    def graph(self) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True)
class Conditions:
    """Parts, which graph after graph takes in turn; the graph to begin near; and the sizes that graphs may have with them."""

    parts: tuple[PartialGraph, ...]
    near: PartialGraph | None
    sizes: range
    formula: Formula | None = None


def read_conditions(given: GivenSource | None, near: NearSource | None, card: ModelCard) -> Conditions:
    """All that a request gives, over the vocabulary of a card.

    Raises:
        GivenError: if no graph of the model can have it; `field` names what is wrong.
    """
    parts = _parts(given, card) if given is not None else ()
    start = _near(near, card) if near is not None else None
    formula = parse_formula(given.formula) if given is not None and given.formula is not None else None
    if start is not None:
        if parts and formula is not None:
            with _about("given.formula"):
                raise GivenError("near a graph the formula is not given: leave one of both out")
        with _about("given"):
            parts = _placed(parts, start)
        return Conditions(parts, start, range(len(start), len(start) + 1))
    return Conditions(parts, None, _sizes(parts, is_whole=formula is not None, card=card), formula)


def _parts(given: GivenSource, card: ModelCard) -> tuple[PartialGraph, ...]:
    parts = [_NOTHING]
    if given.smiles is not None:
        with _about("given.smiles"):
            _need_molecules(card)
            parts = parts_of_smiles(given.smiles, card.node_types, card.edge_types)
    elif given.graph is not None:
        with _about("given.graph"):
            parts = [part_of_node_link(given.graph, card.node_types, card.edge_types)]
            if parts[0].is_closed:
                raise GivenError("all nodes are closed, so nothing can be drawn around them")
            if card.domain == "molecule":
                _check_valences(parts[0], card)
    if given.formula is not None:
        with _about("given.formula"):
            _need_molecules(card)
            formula = parse_formula(given.formula)
            parts = [with_formula(part, formula, card.node_types) for part in parts]
    return tuple(part for part in parts if len(part))


def _near(near: NearSource, card: ModelCard) -> PartialGraph:
    if near.smiles is not None:
        with _about("near.smiles"):
            _need_molecules(card)
            start = graph_of_smiles(near.smiles, card.node_types, card.edge_types)
    else:
        with _about("near.graph"):
            start = part_of_node_link(near.graph or {}, card.node_types, card.edge_types)
            open_nodes = None in start.nodes and len(card.node_types) > 1
            if open_nodes or len(start.pairs) < len(start) * (len(start) - 1) // 2:
                raise GivenError("a graph to begin near must be known in all its nodes and pairs")
            start = replace(start, nodes=tuple(node or 0 for node in start.nodes), closed=frozenset())
    with _about("near"):
        if len(start) not in card.size_distribution:
            raise GivenError(f"{card.name} draws no graphs of {len(start)} nodes; it draws {_known_sizes(card)}")
    return start


def _placed(parts: Sequence[PartialGraph], start: PartialGraph) -> tuple[PartialGraph, ...]:
    """The parts where they are in the graph to begin near; those that are not in it are left out."""
    placed = [part.at(place, len(start)) for part in parts if (place := _place_in(part, start)) is not None]
    if parts and not placed:
        raise GivenError(
            "the graph to begin near does not contain this part, or its closed nodes have further edges there; mark open ones with *"
        )
    return tuple(placed)


def _place_in(part: PartialGraph, whole: PartialGraph) -> tuple[int, ...] | None:
    """Where the nodes of a part are in a graph, if it has such a part."""
    smaller, larger = _labelled(part), _labelled(whole)
    matcher = GraphMatcher(
        larger,
        smaller,
        node_match=lambda mine, wanted: wanted["category"] in {None, mine["category"]},
        edge_match=lambda mine, wanted: mine["category"] == wanted["category"],
    )
    for found in matcher.subgraph_isomorphisms_iter():
        places = {node: place for place, node in found.items()}
        inside = set(found)
        if all(set(larger[places[node]]) <= inside for node in part.closed):
            return tuple(places[node] for node in range(len(part)))
    return None


def _labelled(part: PartialGraph) -> "Graph[int]":
    graph = Graph()
    graph.add_nodes_from((place, {"category": category}) for place, category in enumerate(part.nodes))
    graph.add_edges_from((i, j, {"category": category}) for (i, j), category in part.pairs.items() if category)
    return graph


def _sizes(parts: Sequence[PartialGraph], *, is_whole: bool, card: ModelCard) -> range:
    if not parts:
        return range(card.min_nodes, card.max_nodes + 1)
    smallest = len(parts[0])
    with _about("given"):
        if is_whole:
            if smallest not in card.size_distribution:
                raise GivenError(f"{card.name} draws no graphs of {smallest} nodes; it draws {_known_sizes(card)}")
            return range(smallest, smallest + 1)
        if smallest >= card.max_nodes:
            raise GivenError(
                f"a part of {smallest} nodes, and {card.name} draws at most {card.max_nodes}: give a smaller one"
            )
    return range(max(smallest + 1, card.min_nodes), card.max_nodes + 1)


def _check_valences(part: PartialGraph, card: ModelCard) -> None:
    """Whether the known bonds between known atoms are possible."""
    known = [place for place, node in enumerate(part.nodes) if node is not None]
    atoms = [card.node_types[node] for node in part.nodes if node is not None]
    bonds = [
        (known.index(i), known.index(j), card.edge_types[category])
        for (i, j), category in part.pairs.items()
        if category and i in known and j in known
    ]
    if problems := Chem.DetectChemistryProblems(to_molecule(atoms, bonds)):
        raise GivenError(f"no molecule can contain this part: {problems[0].Message()}")


def _need_molecules(card: ModelCard) -> None:
    if card.domain != "molecule":
        raise GivenError(f"{card.name} draws no molecules; give a graph in node-link form")


def _known_sizes(card: ModelCard) -> str:
    return str(card.max_nodes) if card.min_nodes == card.max_nodes else f"{card.min_nodes} to {card.max_nodes}"


@contextmanager
def _about(field: str) -> Iterator[None]:
    """Says in an error which field of the request it is about."""
    try:
        yield
    except GivenError as error:
        error.field = error.field or field
        raise
