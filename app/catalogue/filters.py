"""The conditions of a request compared with the card of its model: can any of its graphs meet them?"""

from app.http.errors import InvalidRequest, shorten
from app.pictures.patterns import pattern_sizes, require_molecule
from app.schemas import GenerateRequest, GraphFilter
from models.card.card import ModelCard

_OF_MOLECULES = ("unique", "contains", "lacks", "properties", "similarity", "diverse")


def check_filter(request: GenerateRequest, card: ModelCard) -> None:
    """Whether graphs of a model can meet the conditions of a request.

    Raises:
        InvalidRequest: if none can; it names the condition.
    """
    wanted = request.filter
    _check_kind(request, card)
    if wanted.stable and not card.hydrogens_are_drawn:
        raise InvalidRequest(
            "filter.stable",
            f"{card.name} does not draw hydrogens: its atoms have as many as they lack, so ask for 'valid' instead",
        )
    _check_patterns(wanted, card)
    if wanted.similarity is not None:
        require_molecule("filter.similarity.smiles", wanted.similarity.smiles)
    sizes = request.size_range(card.max_nodes)
    heavy = wanted.properties.get("heavy_atoms")
    if heavy is not None and not card.hydrogens_are_drawn and not any(size in heavy for size in sizes):
        raise InvalidRequest(
            "filter.properties.heavy_atoms",
            f"all nodes are heavy atoms here, and graphs have {sizes[0]} to {sizes[-1]}",
        )


def _check_kind(request: GenerateRequest, card: ModelCard) -> None:
    """Whether the conditions are about graphs of this kind."""
    if card.domain == "molecule":
        return
    if request.descriptors:
        raise InvalidRequest("descriptors", f"{card.name} draws no molecules, so its graphs have none")
    if any(getattr(request.filter, name) for name in _OF_MOLECULES) or (request.filter.valid and card.validity is None):
        possible = "only 'connected' and 'valid'" if card.validity else "only 'connected'"
        raise InvalidRequest("filter", f"{card.name} draws no molecules, so {possible} can be asked of its graphs")


def _check_patterns(wanted: GraphFilter, card: ModelCard) -> None:
    """Whether RDKit can read the patterns, and molecules of the model are large enough to contain them."""
    pattern_sizes("filter.lacks", wanted.lacks)
    for smarts, size in zip(wanted.contains, pattern_sizes("filter.contains", wanted.contains), strict=True):
        if size > card.max_nodes:
            raise InvalidRequest(
                "filter.contains",
                f"{shorten(smarts)!r} has {size} atoms, and molecules of {card.name} have at most {card.max_nodes}",
            )
