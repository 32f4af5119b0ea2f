"""The colours of nodes and edges: those of Okabe & Ito, which people with any colour vision can tell apart."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Final

PALETTE: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
EDGE_PALETTE: Final = PALETTE[5::-1]  # without yellow, which is hard to see as a line
ELEMENT_COLOURS: Final[Mapping[str, str]] = {
    "H": "#c9ced4",
    "C": "#5b646e",
    "N": "#0072b2",
    "O": "#d55e00",
    "F": "#009e73",
}
MASKED_COLOUR: Final = "#9aa4ae"
# Viridis without its darkest and its lightest part, from the root of a tree outwards.
LEVEL_COLOURS: Final = ("#46327e", "#365c8d", "#277f8e", "#1fa187", "#3fbc73")


def node_colours(types: Sequence[str], *, is_molecule: bool) -> dict[str, str]:
    """A colour for each node type; an atom has the colour of its element, whatever its charge."""
    palette = cycle(PALETTE)
    if not is_molecule:
        return dict(zip(types, palette, strict=False))
    elements = {kind: kind.rstrip("+-0123456789") for kind in types}
    others = dict(zip(sorted(set(elements.values()) - set(ELEMENT_COLOURS)), palette, strict=False))
    return {kind: {**ELEMENT_COLOURS, **others}[element] for kind, element in elements.items()}


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue from 0 to 1."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def text_colour_on(fill: str) -> str:
    """Black or white, whichever is easier to read on a colour (WCAG 2.2, relative luminance)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(fill))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if luminance > 0.18 else "#ffffff"
