"""One scene as SVG, and several scenes as an animated SVG.

There are no styles in it, so that it works under any content security policy. An animation has a group for each frame
(`class="frame"`, `data-step`, `data-t`) and plays by itself (SMIL).
"""

from collections.abc import Iterable, Sequence
from html import escape

from app.pictures.characters import xml_text
from app.pictures.scene import Circle, Lines, Scene, Shape, Text

_FONT = "system-ui, sans-serif"
_FRAME_SECONDS = 0.12
# The last frame is the finished graph and stays for longer.
_LAST_SECONDS = 1.6


def write_svg(scene: Scene) -> str:
    """The document of one scene."""
    return _document(scene, map(_shape, scene.shapes))


def write_animation(scenes: Sequence[Scene], steps: Sequence[tuple[int, int]]) -> str:
    """The document of an animation; `steps` has the step and the timestep t of each scene."""
    total = _FRAME_SECONDS * (len(scenes) - 1) + _LAST_SECONDS
    groups = []
    for number, (scene, (step, t)) in enumerate(zip(scenes, steps, strict=True)):
        begin = number * _FRAME_SECONDS / total
        end = (number + 1) * _FRAME_SECONDS / total if number < len(scenes) - 1 else 1.0
        shown = "visible" if number == len(scenes) - 1 else "hidden"
        groups += [
            f'<g class="frame" data-step="{step}" data-t="{t}" visibility="{shown}">',
            _visibility(begin, end, total),
            *map(_shape, scene.shapes),
            "</g>",
        ]
    return _document(scenes[-1], groups)


def _visibility(begin: float, end: float, total: float) -> str:
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
            path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for (a, b), (c, d) in shape.segments)
            dashes = ' stroke-dasharray="4 3"' if shape.dashed else ""
            return f'<path d="{path}" stroke="{shape.colour}" stroke-width="{shape.width:.2f}"{dashes} fill="none"/>'
        case Circle():
            (x, y), outline = shape.centre, f' stroke="{shape.outline}"' if shape.outline else ""
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{shape.radius:.1f}" fill="{shape.fill or "none"}"{outline}/>'
        case Text():
            x, y = shape.position
            # Not every SVG renderer supports dominant-baseline.
            return (
                f'<text x="{x:.1f}" y="{y + 0.35 * shape.size:.1f}" font-size="{shape.size:.1f}" font-family="{_FONT}" '
                f'fill="{shape.colour}" text-anchor="{shape.anchor}">{_escape(shape.content)}</text>'
            )


def _escape(text: str) -> str:
    return escape(xml_text(text))
