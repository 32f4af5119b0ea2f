"""A picture as lines, circles and text, in drawing order.

A scene knows neither graphs nor files: `app.pictures.composition` makes it, `app.pictures.svg` and `app.pictures.rendering` write it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Point = tuple[float, float]


@dataclass(frozen=True)
class Lines:
    """Straight lines of one style; each segment has two ends."""

    segments: tuple[tuple[Point, Point], ...]
    colour: str
    width: float
    dashed: bool = False


@dataclass(frozen=True)
class Circle:
    """A disc, or a ring if it has no fill."""

    centre: Point
    radius: float
    fill: str | None
    outline: str | None = None


@dataclass(frozen=True)
class Text:
    """Text that is centred vertically at a point, and horizontally unless it starts there."""

    position: Point
    content: str
    size: float
    colour: str
    anchor: Literal["middle", "start"] = "middle"


Shape = Lines | Circle | Text


@dataclass(frozen=True)
class Scene:
    """A picture; width and height in pixels, y downwards."""

    width: float
    height: float
    background: str
    shapes: tuple[Shape, ...]
    title: str


class Theme(StrEnum):
    """The background that a picture is made for."""

    LIGHT = "light"
    DARK = "dark"

    @property
    def background(self) -> str:
        """Behind everything else."""
        return {Theme.LIGHT: "#ffffff", Theme.DARK: "#161b22"}[self]

    @property
    def text(self) -> str:
        """Of captions and legends."""
        return {Theme.LIGHT: "#1f2328", Theme.DARK: "#e6edf3"}[self]

    @property
    def line(self) -> str:
        """Of edges."""
        return {Theme.LIGHT: "#838c96", Theme.DARK: "#768390"}[self]

    @property
    def warning(self) -> str:
        """Of warnings."""
        return {Theme.LIGHT: "#b3261e", Theme.DARK: "#ff9d94"}[self]

    @property
    def guide(self) -> str:
        """Of guide lines."""
        return {Theme.LIGHT: "#e3e6ea", Theme.DARK: "#2b333c"}[self]

    @property
    def given(self) -> str:
        """Behind nodes that were given and the edges between them: light or dark enough for anybody's eyes."""
        return {Theme.LIGHT: "#f0e442", Theme.DARK: "#5f5a14"}[self]
