"""One rule in one row: on the left what has to hold, on the right what then happens, an arrow between them.

A dense row has its condition beside its name, for policies of many rules.
"""

from typing import assert_never

from policyd.graph.chips import candidates, choices, label, refusal, sign, tag
from policyd.graph.model import Bunch, Candidate, DenyStep, GuardStep, Mark, OtherwiseStep, RouteStep
from policyd.graph.scene import Box, Paragraph, Stroke, beside, paragraph, stack

__all__ = ["ROW", "WIDE", "Rule", "rule_row"]

Rule = DenyStep | GuardStep | RouteStep | OtherwiseStep | Bunch

_CARD = 470
_GAP = 46
_OUTCOME = 540
ROW = _CARD + _GAP + _OUTCOME
"""Width of a row."""
WIDE = ROW + 46
"""Width of a view: a row, and the line before it."""
_PAD = 14
_INNER = _CARD - 2 * _PAD
_NAME = 150
"""The column of names in dense rows."""
_MOST_HITS = 12


def rule_row(step: Rule, *, dense: bool = False) -> Box:
    """The row of any rule."""
    match step:
        case DenyStep(name, when, because, status, mark):
            left = _card(name, mark, "never decides", when, "every request", dense=dense)
            return _row(left, refusal(status, because, _OUTCOME), mark)
        case GuardStep(name=name, when=when, hits=hits, mark=mark):
            left = _card(name, mark, "never applies", when, "every request", dense=dense)
            return _row(left, _forbidden(hits), mark)
        case RouteStep(name, when, found, mark):
            left = _card(name, mark, "never decides", when, "whatever is left", dense=dense)
            return _row(left, choices(found, _OUTCOME), mark)
        case OtherwiseStep(reason, status, mark):
            left = _card("otherwise", mark, "never reached", "", "no route has a target left", dense=False)
            return _row(left, refusal(status, reason, _OUTCOME), mark)
        case Bunch():
            return _bunch(step)
        case _:
            assert_never(step)


def _card(name: str, mark: Mark, never: str, when: str, everything: str, *, dense: bool) -> Box:
    """A rule's name over its condition, or beside it; dashed where the rule is proved to do nothing."""
    gone = mark == "no"
    note = tag(mark, never)
    aside = 0 if note is None else note.width + 10
    name_look = "gone-name" if gone else ""
    look = "card dead" if gone else "card"
    if not dense:
        head = paragraph(name, "name", _INNER - aside, look=name_look)
        said = _condition(when, everything, _INNER, most=3, gone=gone)
        texts = (*head.at(_PAD, 10), *said.at(_PAD, 13 + head.height))
        boxes = () if note is None else (note.at(_CARD - note.width - _PAD, 10),)
        return Box(_CARD, head.height + said.height + 23, look, texts=texts, boxes=boxes)
    head = paragraph(name, "name", _NAME - 12, look=name_look)
    said = _condition(when, everything, _INNER - _NAME - aside, most=2, gone=gone)
    height = max(head.height, said.height) + 15
    texts = (*head.at(_PAD, 8), *said.at(_PAD + _NAME, 9))
    boxes = () if note is None else (note.at(_CARD - note.width - _PAD, 8),)
    return Box(_CARD, height, look, round=6, texts=texts, boxes=boxes)


def _condition(text: str, everything: str, room: int, *, most: int, gone: bool) -> Paragraph:
    if text:
        return paragraph(text, "code", room, most=most, look="gone-code" if gone else "code")
    return paragraph(everything, "reason", room, look="muted")


def _row(left: Box, right: Box, mark: Mark) -> Box:
    """Card and outcome, as high as the higher, an arrow from middle to middle."""
    height = max(left.height, right.height)
    middle = height // 2
    look = "edge dead" if mark == "no" else "edge"
    return Box(
        ROW,
        height,
        boxes=(left.sized(height=height), right.at(_CARD + _GAP, (height - right.height) // 2)),
        strokes=(Stroke(((_CARD, middle), (_CARD + _GAP - 6, middle)), look, arrow=True),),
    )


def _forbidden(hits: tuple[Candidate, ...]) -> Box:
    """The targets that a guard forbids."""
    if not hits:
        return label("no target is what it speaks of", _OUTCOME)
    shown = hits[:_MOST_HITS]
    body = candidates(shown, _OUTCOME - 22, more=len(hits) - len(shown))
    return beside((sign("forbid", "forbids"), body), gap=8)


def _bunch(bunch: Bunch) -> Box:
    """Rules that stand together because they are many."""
    kinds = {"route": "routes", "deny": "denies", "guard": "guards"}
    count = f"{bunch.count:,} {kinds[bunch.kind] if bunch.count != 1 else bunch.kind}"
    name = f"{bunch.of}: {count}" if bunch.of else f"… and {bunch.count:,} more {kinds[bunch.kind]}"
    left_out = bunch.count - len(bunch.names)
    listed = ", ".join(bunch.names) + (f" and {left_out:,} more" if left_out else "")
    head = paragraph(name, "name", _INNER)
    said = paragraph(listed, "text", _INNER, most=3, look="muted")
    texts = (*head.at(_PAD, 10), *said.at(_PAD, 13 + head.height))
    left = Box(_CARD, head.height + said.height + 23, "card pile", texts=texts)
    if not bunch.targets:
        return _row(left, label("not drawn one by one", _OUTCOME), "yes")
    body = candidates(bunch.targets, _OUTCOME, more=bunch.more_targets)
    note = label("not drawn one by one; they name", _OUTCOME)
    return _row(left, stack((note, body), gap=0), "yes")
