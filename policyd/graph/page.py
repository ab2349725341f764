"""The whole picture: title, legend, and the views one below the other.

In comes a drawing and which views of it are wanted; out comes a scene, the same to the pixel wherever it is made.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from policyd.graph.chips import target_chip
from policyd.graph.decision import decision_box
from policyd.graph.guards import guards_box
from policyd.graph.measure import clean
from policyd.graph.model import Bunch, Candidate, Drawing
from policyd.graph.reached import PLACES, reach_box
from policyd.graph.rows import WIDE
from policyd.graph.scene import SIGN, Box, Scene, Sign, SignKind, beside, one_line, paragraph, stack

__all__ = ["VIEWS", "View", "counted", "scene"]

View: TypeAlias = Literal["decision", "guards", "reach"]
VIEWS: Final[tuple[View, ...]] = ("decision", "guards", "reach")

_MARGIN = 28
_LAYOUTS: Final = MappingProxyType[View, tuple[str, str, Callable[[Drawing], Box]]](
    {
        "decision": ("Decision", "a request goes from top to bottom", decision_box),
        "guards": ("Guards", "what no route can get around", guards_box),
        "reach": (
            "Reach",
            "which requests can get where; a mark is proved, or says that it is not",
            reach_box,
        ),
    }
)


def scene(drawing: Drawing, views: Sequence[View] = VIEWS) -> Scene:
    """The picture of these views."""
    parts = [_header(drawing, views), *(_section(drawing, view) for view in views)]
    body = stack(parts, gap=34)
    wide = body.width + 2 * _MARGIN
    box = Box(wide, body.height + 2 * _MARGIN, "page", round=12, boxes=(body.at(_MARGIN, _MARGIN),))
    return Scene(clean(f"Policy {drawing.title}"), clean(_in_words(drawing)), box)


def counted(drawing: Drawing) -> str:
    """`1 level, 5 routes and 5 targets`."""
    found = [f"{n:,} {_plural(word, n)}" for n, word in drawing.counts if n]
    return found[0] if len(found) == 1 else ", ".join(found[:-1]) + " and " + found[-1]


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return "denies" if word == "deny" else word + "s"


def _header(drawing: Drawing, views: Sequence[View]) -> Box:
    title = paragraph(drawing.title, "title", WIDE)
    said = paragraph(f"{counted(drawing)} · digest {drawing.digest[:12]}", "text", WIDE, look="muted")
    legend = _legend(views).at(0, title.height + said.height + 16)
    return Box(
        WIDE,
        legend.y + legend.height,
        texts=(*title.at(0, 0), *said.at(0, title.height + 4)),
        boxes=(legend,),
    )


def _legend(views: Sequence[View]) -> Box:
    signs: list[tuple[SignKind, str]] = [("not-proved", "not proved")]
    if "reach" in views:
        signs = [("yes", "some request can"), ("no", "none can"), *signs]
    if "decision" in views:
        signs += [("forbid", "forbids"), ("reject", "refuses")]
    here = target_chip(Candidate(PLACES["on_prem"], "on_prem", "yes"))
    away = target_chip(Candidate(PLACES["cloud"], "cloud", "yes"))
    gone = target_chip(Candidate("no request gets there", "cloud", "no"))
    return beside((here, away, gone, *(_explained(kind, says) for kind, says in signs)), gap=18)


def _explained(kind: SignKind, says: str) -> Box:
    line = one_line(says, "small", SIGN + 6, 9, look="muted")
    return Box(line.x + line.width, 18, texts=(line,), signs=(Sign(0, 2, kind),))


def _section(drawing: Drawing, view: View) -> Box:
    name, says, layout = _LAYOUTS[view]
    heading = one_line(name, "section", 0, 10)
    said = one_line(says, "text", heading.width + 12, 10, look="muted")
    head = Box(said.x + said.width, 22, texts=(heading, said))
    return stack((head, layout(drawing)), gap=14)


def _in_words(drawing: Drawing) -> str:
    """The picture for who cannot see it."""
    parts = [f"{counted(drawing)}."]
    parts += [
        f"Route {r.name} sends {f'requests with {r.when}' if r.when else 'what is left'} to "
        + ", then ".join(" or ".join(c.target for c in choice.members) for choice in r.choices)
        + ("; it never decides." if r.mark == "no" else ".")
        for r in drawing.routes
        if not isinstance(r, Bunch)
    ]
    for target in drawing.targets:
        where = PLACES.get(target.location, target.location)
        if target.mark == "no":
            parts.append(f"No request can reach {target.name} ({where}).")
            continue
        by = [
            f"{dimension.name} "
            + (", ".join(v for v, m in zip(dimension.values, marks, strict=True) if m == "yes") or "none")
            for dimension, marks in zip(drawing.dimensions, target.cells, strict=True)
        ]
        parts.append(f"{target.name} ({where}) can be reached{' with ' + '; '.join(by) if by else ''}.")
    return " ".join(parts)
