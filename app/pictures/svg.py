"""A scene as SVG, without styles, so that a page may show it whatever it forbids; and several as a film.

A film is one picture with a group for each frame (`class="frame"`, `data-step`, `data-t`), which plays by itself (SMIL).
"""

import re
from collections.abc import Iterable, Sequence
from html import escape

from app.pictures.scene import Circle, Lines, Scene, Shape, Text

_FONT = "system-ui, sans-serif"
_FRAME_SECONDS = 0.12
# Characters that XML does not know (XML 1.0, 2.2); the name of a type may have them.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The last frame, which is the graph, is looked at for longer.
_LAST_SECONDS = 1.6


def write_svg(scene: Scene) -> str:
    """The document of one scene."""
    return _document(scene, map(_shape, scene.shapes))


def write_film(scenes: Sequence[Scene], steps: Sequence[tuple[int, int]]) -> str:
    """The document of a film; `steps` has for each scene its step and its timestep t."""
    total = _FRAME_SECONDS * (len(scenes) - 1) + _LAST_SECONDS
    groups = []
    for number, (scene, (step, t)) in enumerate(zip(scenes, steps, strict=True)):
        begin = number * _FRAME_SECONDS / total
        end = (number + 1) * _FRAME_SECONDS / total if number < len(scenes) - 1 else 1.0
        shown = "visible" if number == len(scenes) - 1 else "hidden"
        groups += [
            f'<g class="frame" data-step="{step}" data-t="{t}" visibility="{shown}">',
            _animation(begin, end, total),
            *map(_shape, scene.shapes),
            "</g>",
        ]
    return _document(scenes[-1], groups)


def _animation(begin: float, end: float, total: float) -> str:
    times, values = [0.0], ["visible" if begin == 0 else "hidden"]
    if begin > 0:
        times, values = [*times, begin], [*values, "visible"]
    if end < 1:
        times, values = [*times, end], [*values, "hidden"]
    moments = ";".join(f"{time:.5f}" for time in times)
    return (
        f'<animate attributeName="visibility" calcMode="discrete" dur="{total:.2f}s" repeatCount="indefinite" '
        f'keyTimes="{moments}" values="{";".join(values)}"/>'
    )


def _document(scene: Scene, body: Iterable[str]) -> str:
    size = f"{scene.width:g} {scene.height:g}"
    width, height = size.split()
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {size}" role="img">',
            f"<title>{_escape(scene.title)}</title>",
            f'<rect width="{width}" height="{height}" fill="{scene.background}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _shape(shape: Shape) -> str:
    match shape:
        case Lines():
            path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for (a, b), (c, d) in shape.ends)
            dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
            return f'<path d="{path}" stroke="{shape.colour}" stroke-width="{shape.width:.2f}"{dashes} fill="none"/>'
        case Circle():
            (x, y), outline = shape.centre, f' stroke="{shape.outline}"' if shape.outline else ""
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{shape.radius:.1f}" fill="{shape.fill or "none"}"{outline}/>'
        case Text():
            x, y = shape.place
            # Not every program that draws SVG knows a middle of the height.
            return (
                f'<text x="{x:.1f}" y="{y + 0.35 * shape.size:.1f}" font-size="{shape.size:.1f}" font-family="{_FONT}" '
                f'fill="{shape.colour}" text-anchor="{shape.anchor}">{_escape(shape.words)}</text>'
            )


def _escape(words: str) -> str:
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", words))
