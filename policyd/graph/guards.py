"""The guards: what each forbids, when and why, which targets it leaves, and what every target can do at all."""

from policyd.graph.chips import candidates, label, tag, target_chip
from policyd.graph.model import Bunch, Candidate, Drawing, GuardStep
from policyd.graph.rows import WIDE, rule_row
from policyd.graph.scene import Box, Text, paragraph, stack
from policyd.graph.table import Column, Group, mark_cell, table, words_cell
from policyd.policy.builtins import CAPABILITIES, SPOKEN

__all__ = ["guards_box"]

_PAD = 16
_LEFT = 540
_RIGHT = WIDE - _LEFT - 3 * _PAD
_MOST = 10
_FEW = 8
"""Up to so many guards say by name what they leave."""
_VERB = 58
"""Room for `forbids` and `leaves`."""


def guards_box(drawing: Drawing) -> Box:
    """One card for each guard that is written, then the table of what targets can do."""
    cards = [rule_row(g) if isinstance(g, Bunch) else _card(g, drawing) for g in drawing.guards]
    if not cards:
        cards = [label("The policy has no guard of its own.", WIDE)]
    return stack((*cards, _able(drawing)), gap=14)


def _card(step: GuardStep, drawing: Drawing) -> Box:
    texts: list[Text] = []
    y = 12
    gone = step.mark == "no"
    note = tag(step.mark, "never applies")
    room = _LEFT - (note.width + 10 if note is not None else 0)
    when = f"when {step.when}" if step.when else "for every request"
    parts = [
        paragraph(step.name, "name", room, look="gone-name" if gone else ""),
        paragraph(step.text, "code", _LEFT, most=2, look="gone-code" if gone else "strong"),
        paragraph(when, "code", _LEFT, most=4, look="gone-code" if gone else "code"),
        paragraph(step.because, "reason", _LEFT, most=3, look="muted"),
    ]
    for e in step.exceptions:
        said = f"exception {e.name} until {e.until}: {e.because}"
        parts.append(paragraph(said, "text", _LEFT, most=2, look="muted"))
    for part in parts:
        texts.extend(part.at(_PAD, y))
        y += part.height + 3
    right = _sides(step, drawing)
    height = max(y + 10, right.height + 24)
    boxes = [right.at(_LEFT + 2 * _PAD, (height - right.height) // 2)]
    if note is not None:
        boxes.append(note.at(_PAD + _LEFT - note.width, 12))
    look = "card dead" if gone else "card"
    return Box(WIDE, height, look, texts=tuple(texts), boxes=tuple(boxes))


def _sides(step: GuardStep, drawing: Drawing) -> Box:
    """What it forbids, and what it leaves."""
    if not step.hits:
        return label("no target is what it speaks of", _RIGHT)
    hit = {c.target for c in step.hits}
    left = tuple(Candidate(t.name, t.location, "yes") for t in drawing.targets if t.name not in hit)
    count = len(drawing.targets) + drawing.more_targets - len(hit)
    parts = [_side("forbids", step.hits, len(hit))]
    if count and len(drawing.guards) <= _FEW:
        parts.append(_side("leaves", left, count))
    elif count:
        parts.append(
            Box(
                _VERB + 200,
                26,
                boxes=(label("leaves", _VERB), label(f"the other {count:,}", 200).at(_VERB, 0)),
            )
        )
    return stack(parts, gap=10)


def _side(verb: str, found: tuple[Candidate, ...], count: int) -> Box:
    first = found[:_MOST]
    shown = candidates(first, _RIGHT - _VERB, more=count - len(first))
    return Box(_VERB + shown.width, shown.height, boxes=(label(verb, _VERB), shown.at(_VERB, 0)))


def _able(drawing: Drawing) -> Box:
    """Capabilities: the guards that every policy has."""
    columns = [Column("target"), Column("context"), *(Column(name, "speaks", True) for name in SPOKEN)]
    columns += [Column(name.replace("_", " "), "supports", True) for name in CAPABILITIES]
    groups: list[Group] = []
    rows = []
    for target in drawing.targets:
        facts = dict(target.facts)
        words = {n: frozenset(facts.get(n, "").split(", ")) for n in ("speaks", "supports")}
        cells = [
            target_chip(Candidate(target.name, target.location, "yes"), 220),
            words_cell(facts.get("context", "")),
        ]
        for fact, names in (("speaks", SPOKEN), ("supports", CAPABILITIES)):
            for name in names:
                able = name in words[fact]
                says = f"{target.name} {'' if able else 'does not '}{_verb(fact, able=able)} {name}"
                cells.append(mark_cell("yes" if able else "no", says))
        rows.append(tuple(cells))
    head = (
        "Capabilities: besides these guards, a target is forbidden whatever it cannot hold, speak or support"
    )
    groups.append(Group(words_cell(head, look="muted", room=900), tuple(rows)))
    box = table(columns, groups, least=WIDE)
    if not drawing.more_targets:
        return box
    return stack((box, label(f"… and {drawing.more_targets:,} more targets", WIDE)), gap=4)


def _verb(fact: str, *, able: bool) -> str:
    return fact if able else fact[:-1]
