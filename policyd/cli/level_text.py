"""How a level comes about, for `policyd features POLICY --explain LEVEL`.

In come a program and a level that it computes; out go lines, or a document: what it starts at and what raises it. A level is
no feature: nobody gives it, and it stands in no request.
"""

from textwrap import wrap

from policyd.policy.condition import Const
from policyd.policy.program import Classify, Program
from policyd.policy.wording import condition_text

__all__ = ["level_document", "level_text"]


def level_text(program: Program, level: Classify) -> str:
    lines = (
        ("level", level.name),
        ("values", " < ".join(level.values)),
        ("who says it", "the policy computes it from features, once for each request"),
        ("starts at", _joined(_starts(program, level))),
        ("raised to", _joined(_raises(program, level))),
    )
    width = max(len(name) for name, _ in lines)
    said = (
        (name, [part for line in text.split("\n") for part in wrap(line, 100)])
        for name, text in lines
        if text
    )
    return "\n".join(f"{name:<{width}}  " + f"\n{'':<{width}}  ".join(parts) for name, parts in said)


def level_document(program: Program, level: Classify) -> dict[str, object]:
    return {
        "name": level.name,
        "kind": "level",
        "values": list(level.values),
        "starts": [{"at": at, "when": when} for at, when in _starts(program, level)],
        "raises": [{"to": to, "when": when} for to, when in _raises(program, level)],
    }


def _starts(program: Program, level: Classify) -> list[tuple[str, str]]:
    return [(level.values[s.rank], condition_text(program, s.when)) for s in level.starts]


def _raises(program: Program, level: Classify) -> list[tuple[str, str]]:
    return [
        (r.to if isinstance(r.to, str) else level.values[r.to], condition_text(program, r.when))
        for r in level.raises
        if r.when != Const(value=False)
    ]


def _joined(lines: list[tuple[str, str]]) -> str:
    return "\n".join(value if when == "true" else f"{value} when {when}" for value, when in lines)
