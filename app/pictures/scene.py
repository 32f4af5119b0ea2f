"""What a picture of a graph shows: lines, dots and words at places, in the order in which they are drawn.

A scene knows nothing of graphs and of files; `app.pictures.composition` makes it, `app.pictures.svg` and `app.pictures.rendering` write it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Point = tuple[float, float]


@dataclass(frozen=True)
class Lines:
    """Straight lines of one kind, from point to point."""

    ends: tuple[tuple[Point, Point], ...]
    colour: str
    width: float
    dashed: bool = False


@dataclass(frozen=True)
class Circle:
    """A dot, or a ring if it has no fill."""

    centre: Point
    radius: float
    fill: str | None
    outline: str | None = None


@dataclass(frozen=True)
class Text:
    """Words, whose middle (of their height, and of their width unless they start there) is at a point."""

    place: Point
    words: str
    size: float
    colour: str
    anchor: Literal["middle", "start"] = "middle"


Shape = Lines | Circle | Text


@dataclass(frozen=True)
class Scene:
    """A picture of so many pixels, y downwards."""

    width: float
    height: float
    background: str
    shapes: tuple[Shape, ...]
    title: str


class Theme(StrEnum):
    """What a picture is looked at on."""

    LIGHT = "light"
    DARK = "dark"

    @property
    def background(self) -> str:
        """Behind everything."""
        return {Theme.LIGHT: "#ffffff", Theme.DARK: "#161b22"}[self]

    @property
    def ink(self) -> str:
        """Of words."""
        return {Theme.LIGHT: "#1f2328", Theme.DARK: "#e6edf3"}[self]

    @property
    def line(self) -> str:
        """Of edges."""
        return {Theme.LIGHT: "#838c96", Theme.DARK: "#768390"}[self]

    @property
    def warning(self) -> str:
        """Of words that say what is wrong."""
        return {Theme.LIGHT: "#b3261e", Theme.DARK: "#ff9d94"}[self]

    @property
    def faint(self) -> str:
        """Of what only helps to see."""
        return {Theme.LIGHT: "#e3e6ea", Theme.DARK: "#2b333c"}[self]
