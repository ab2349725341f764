"""A scene as one SVG file: no scripts, no fonts, no links, nothing that is fetched.

In comes a scene, out goes text, byte for byte the same for the same scene. Every text of the policy is escaped, and held
in its box by its width where nobody knows how wide a font would draw it. Titles give what was cut, to a pointer and to a
screen reader.
"""

from collections.abc import Iterator
from typing import Final, assert_never

from policyd.graph.measure import clean, fitted
from policyd.graph.scene import Box, Scene, Sign, SignKind, Stroke, Text
from policyd.graph.style import STYLE

__all__ = ["svg"]

_ARROW: Final = 5


def svg(scene: Scene) -> str:
    """The file's text."""
    box = scene.box
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{box.width}" height="{box.height}" '
        f'viewBox="0 0 {box.width} {box.height}" role="img" aria-labelledby="policy-title policy-says">',
        f'<title id="policy-title">{_escaped(scene.title)}</title>',
        f'<desc id="policy-says">{_escaped(scene.says)}</desc>',
        f"<style>{STYLE}</style>",
        *_box(box, 0, 0),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )


def _box(box: Box, x: int, y: int) -> Iterator[str]:
    """The box and all within it, at their places in the picture."""
    x, y = x + box.x, y + box.y
    told = box.says is not None
    if told:
        yield f"<g><title>{_escaped(clean(box.says or ''))}</title>"
    if box.look:
        corner = f' rx="{box.round}"' if box.round else ""
        yield f'<rect class="{box.look}" x="{x}" y="{y}" width="{box.width}" height="{box.height}"{corner}/>'
    for inner in box.boxes:
        yield from _box(inner, x, y)
    for stroke in box.strokes:
        yield _stroke(stroke, x, y)
    for sign in box.signs:
        yield _sign(sign, x, y)
    for text in box.texts:
        yield _text(text, x, y)
    if told:
        yield "</g>"


def _text(text: Text, x: int, y: int) -> str:
    look = f"{text.font} {text.look}".strip()
    wide = f' textLength="{text.width}" lengthAdjust="spacingAndGlyphs"' if fitted(text.text) else ""
    whole = f"<title>{_escaped(clean(text.whole))}</title>" if text.whole is not None else ""
    return f'<text class="{look}" x="{x + text.x}" y="{y + text.y}"{wide}>{_escaped(text.text)}{whole}</text>'


def _stroke(stroke: Stroke, x: int, y: int) -> str:
    points = [(x + a, y + b) for a, b in stroke.points]
    path = "M" + "L".join(f"{a} {b}" for a, b in points)
    line = f'<path class="{stroke.look}" d="{path}"/>'
    if not stroke.arrow:
        return line
    a, b = points[-1]
    head = f"M{a - _ARROW} {b - _ARROW + 1}L{a + 1} {b}L{a - _ARROW} {b + _ARROW - 1}"
    return f'{line}<path class="{stroke.look} head" d="{head}"/>'


def _sign(sign: Sign, x: int, y: int) -> str:
    says = f"<title>{_escaped(clean(sign.says))}</title>" if sign.says else ""
    return f'<g class="sign {sign.kind}" transform="translate({x + sign.x} {y + sign.y})">{says}{_drawn(sign.kind)}</g>'


def _drawn(kind: SignKind) -> str:
    """Each sign differs from the others in its shape, too."""
    match kind:
        case "yes":
            return (
                '<circle class="fill" cx="7" cy="7" r="7"/><path class="on" d="M3.8 7.2L6.1 9.5L10.3 4.8"/>'
            )
        case "no":
            return '<path class="line" d="M3.5 7H10.5"/>'
        case "not-proved":
            return (
                '<path class="rim" d="M7 0.5L13.5 7L7 13.5L0.5 7Z"/>'
                '<path class="line" d="M5.4 5.7C5.4 3.7 8.7 3.7 8.7 5.7C8.7 6.9 7 6.9 7 8.2"/><circle class="dot" cx="7" cy="10.2" r="0.8"/>'
            )
        case "reject":
            return '<circle class="fill" cx="7" cy="7" r="7"/><path class="on" d="M4.5 4.5L9.5 9.5M9.5 4.5L4.5 9.5"/>'
        case "forbid":
            return '<circle class="rim" cx="7" cy="7" r="6"/><path class="line" d="M2.8 2.8L11.2 11.2"/>'
        case "then":
            return '<path class="line" d="M5 3.5L9 7L5 10.5"/>'
        case "on-prem":
            return (
                '<rect class="rim" x="1.5" y="1.5" width="11" height="4.6" rx="1"/>'
                '<rect class="rim" x="1.5" y="7.9" width="11" height="4.6" rx="1"/>'
                '<path class="line" d="M4 3.8H5M4 10.2H5"/>'
            )
        case "cloud":
            return '<path class="rim" d="M4 11.5A2.9 2.9 0 0 1 3.7 5.8A3.7 3.7 0 0 1 10.8 5.6A3 3 0 0 1 10.5 11.5Z"/>'
        case _:
            assert_never(kind)
