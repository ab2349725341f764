"""Targets and verdicts as small labelled boxes: what a route sends to, what a guard forbids, how a request is refused.

A target on premises has square corners, one in the cloud is round, each with its sign: colour never says it alone. A
candidate that no request can reach is dashed and struck through.
"""

from collections.abc import Sequence

from policyd.graph.measure import FONTS, width
from policyd.graph.model import Candidate, Choice, Mark
from policyd.graph.scene import SIGN, Box, Sign, SignKind, Text, beside, flow, one_line, paragraph

__all__ = ["candidates", "choices", "label", "refusal", "sign", "tag", "target_chip"]

_HEIGHT = 26
_PAD = 9
_SHORTEST = 60


def target_chip(candidate: Candidate, room: int = 260) -> Box:
    """One target."""
    here = candidate.location == "on_prem"
    gone = candidate.mark == "no"
    share = width(candidate.share, FONTS["small"]) + 6 if candidate.share else 0
    doubt = SIGN + 4 if candidate.mark == "not proved" else 0
    left = _PAD + SIGN + 5
    name = one_line(
        candidate.target,
        "chip",
        left,
        _HEIGHT // 2,
        room=max(_SHORTEST, room - left - share - doubt - _PAD),
        look="gone" if gone else ("here" if here else "away"),
    )
    texts = [name]
    end = left + name.width
    if share:
        texts.append(one_line(candidate.share, "small", end + 6, _HEIGHT // 2, look="muted"))
        end += share
    middle = (_HEIGHT - SIGN) // 2
    kind: SignKind = "on-prem" if here else "cloud"
    signs = [Sign(_PAD, middle, kind)]
    if doubt:
        signs.append(Sign(end + 4, middle, "not-proved"))
        end += doubt
    look = "chip " + ("gone" if gone else ("here" if here else "away"))
    return Box(
        end + _PAD,
        _HEIGHT,
        look,
        round=4 if here else _HEIGHT // 2,
        texts=tuple(texts),
        signs=tuple(signs),
        says=_said(candidate),
    )


def _said(candidate: Candidate) -> str:
    where = f"{candidate.target}, {candidate.location.replace('_', ' ')}"
    match candidate.mark:
        case "yes":
            return where
        case "no":
            return f"{where}: no request gets there (proved)"
        case _:
            return f"{where}: whether a request gets there is not proved"


def choices(found: Sequence[Choice], room: int) -> Box:
    """A route's candidates in the order they are tried."""
    parts: list[Box] = []
    for number, choice in enumerate(found):
        body = _choice(choice, room - SIGN - 8)
        if number:
            body = beside((sign("then", "if that fails"), body), gap=6)
        parts.append(body)
    return flow(parts, room, gap=6)


def _choice(choice: Choice, room: int) -> Box:
    if not choice.how:
        return flow([target_chip(c, room) for c in choice.members], room)
    inner = room - 20
    head = label(choice.how, inner)
    body = flow([head, *(target_chip(c, inner) for c in choice.members)], inner)
    return Box(body.width + 20, body.height + 12, "group", round=10, boxes=(body.at(10, 6),))


def candidates(found: Sequence[Candidate], room: int, *, more: int = 0) -> Box:
    """Targets side by side, with the number of those that are left out."""
    parts = [target_chip(c, room) for c in found]
    if more:
        parts.append(label(f"and {more:,} more", room))
    return flow(parts, room)


def label(text: str, room: int, *, look: str = "muted") -> Box:
    """Words of the picture's own among chips."""
    line = one_line(text, "small", 0, _HEIGHT // 2, room=room, look=look)
    return Box(line.width, _HEIGHT, texts=(line,))


def sign(kind: SignKind, says: str = "") -> Box:
    return Box(SIGN, _HEIGHT, signs=(Sign(0, (_HEIGHT - SIGN) // 2, kind, says),))


def refusal(status: int, reason: str, room: int) -> Box:
    """How a request is refused: the status, and why."""
    number = one_line(str(status), "chip", 12 + SIGN + 7, 0)
    left = number.x + number.width + 10
    why = paragraph(reason, "reason", room - left - 12, most=3, look="muted")
    height = max(30, why.height + 12)
    texts: tuple[Text, ...] = (
        one_line(str(status), "chip", number.x, height // 2, look="refused"),
        *why.at(left, (height - why.height) // 2),
    )
    return Box(
        left + why.width + 12,
        height,
        "refusal",
        round=6,
        texts=texts,
        signs=(Sign(12, (height - SIGN) // 2, "reject"),),
    )


def tag(mark: Mark, no: str) -> Box | None:
    """What is proved of a rule, where it is worth a word."""
    if mark == "yes":
        return None
    text = no if mark == "no" else "not proved"
    line = one_line(text, "label", 7, 9, look="doubt" if mark != "no" else "gone-label")
    look = "tag doubt" if mark != "no" else "tag"
    return Box(line.width + 14, 18, look, round=9, texts=(line,))
