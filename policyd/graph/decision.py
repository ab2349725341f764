"""The decision, from top to bottom: classify, deny, guard, route, otherwise, along one line that a request follows."""

from collections.abc import Sequence
from dataclasses import dataclass

from policyd.graph.chips import label
from policyd.graph.measure import FONTS, width
from policyd.graph.model import Drawing, LevelStep
from policyd.graph.rows import ROW, Rule, rule_row
from policyd.graph.scene import Box, Stroke, beside, flow, one_line, paragraph

__all__ = ["decision_box"]

_LINE = 16
"""Where the line runs."""
_CARDS = 46
_RADIUS = 12
_HEAD = 30
_AIRY = 12
"""Up to so many rules have their condition below their name."""
_PAD = 14


@dataclass(frozen=True, slots=True)
class _Stage:
    name: str
    says: str
    rows: tuple[Box, ...]


def decision_box(drawing: Drawing) -> Box:
    """The stages that the policy has."""
    stages = [s for s in _stages(drawing) if s.rows]
    boxes: list[Box] = []
    strokes: list[Stroke] = []
    y = 0
    last: int | None = None
    for number, stage in enumerate(stages, 1):
        if last is not None:
            strokes.append(Stroke(((_LINE, last), (_LINE, y)), "spine"))
        boxes.append(_number(number).at(_LINE - _RADIUS, y))
        head = _heading(stage).at(_CARDS, y)
        boxes.append(head)
        last = y + 2 * _RADIUS
        y += _HEAD + 4
        for row in stage.rows:
            boxes.append(row.at(_CARDS, y))
            middle = y + row.height // 2
            if stage.name != "Classify":
                strokes.append(Stroke(((_LINE, middle), (_CARDS, middle)), "spine"))
            y += row.height + (6 if len(stage.rows) > _AIRY else 10)
        y += 12
    end = boxes[-1]
    strokes.append(Stroke(((_LINE, last or 0), (_LINE, end.y + end.height // 2)), "spine"))
    return Box(_CARDS + ROW, end.y + end.height, boxes=tuple(boxes), strokes=tuple(strokes))


def _stages(drawing: Drawing) -> Sequence[_Stage]:
    return (
        _Stage("Classify", "levels are computed from the request", tuple(map(_level, drawing.levels))),
        _Stage("Deny", "the first that holds refuses the request", _rows(drawing.denies)),
        _Stage("Guard", "all that hold forbid targets, whatever the routes say", _rows(drawing.guards)),
        _Stage("Route", "the first that holds and has a target left decides", _rows(drawing.routes)),
        _Stage("Otherwise", "what no route takes", (rule_row(drawing.otherwise),)),
    )


def _rows(steps: Sequence[Rule]) -> tuple[Box, ...]:
    """Many rules stand closer together."""
    return tuple(rule_row(step, dense=len(steps) > _AIRY) for step in steps)


def _number(number: int) -> Box:
    size = 2 * _RADIUS
    text = one_line(str(number), "chip", _RADIUS, _RADIUS, look="number", centred=True)
    return Box(size, size, "number", round=_RADIUS, texts=(text,))


def _heading(stage: _Stage) -> Box:
    name = one_line(stage.name, "section", 0, _RADIUS)
    says = one_line(stage.says, "text", name.width + 12, _RADIUS, look="muted")
    return Box(says.x + says.width, 2 * _RADIUS, texts=(name, says))


def _level(step: LevelStep) -> Box:
    """The level's values as a ladder, and every way to them."""
    ladder = _ladder(step.values, ROW - 2 * _PAD)
    name = paragraph(step.name, "name", ROW - 2 * _PAD)
    texts = [*name.at(_PAD, 10)]
    y = 10 + name.height + 8
    boxes = [ladder.at(_PAD, y)]
    y += ladder.height + 8
    words = [("starts at " if way.starts else "at least ") + way.value for way in step.ways]
    column = min(260, max((width(w, FONTS["small"]) for w in words), default=0)) + 16
    for text, way in zip(words, step.ways, strict=True):
        head = paragraph(text, "small", column - 16)
        texts.extend(head.at(_PAD, y))
        if way.when:
            when = paragraph("when " + way.when, "code", ROW - 2 * _PAD - column, most=2, look="code")
            texts.extend(when.at(_PAD + column, y - 1))
            y += max(head.height, when.height) + 4
        else:
            y += head.height + 4
    if step.more:
        more = label(f"… and {step.more:,} more ways to a value", ROW - 2 * _PAD)
        boxes.append(more.at(_PAD, y))
        y += more.height
    return Box(ROW, y + 8, "card", texts=tuple(texts), boxes=tuple(boxes))


def _ladder(values: Sequence[str], room: int) -> Box:
    """Lowest first; a deeper colour is a higher value."""
    parts: list[Box] = []
    for rank, value in enumerate(values):
        line = one_line(value, "chip", 11, 12, room=room - 80, look="rung")
        shade = 1 + (4 * rank) // max(1, len(values) - 1)
        rung = Box(line.width + 22, 24, f"rung rung{shade}", round=3, texts=(line,))
        below = one_line("<", "chip", 0, 12, look="muted")
        parts.append(beside((Box(below.width, 24, texts=(below,)), rung), gap=6) if rank else rung)
    return flow(parts, room, gap=6, row_gap=6)
