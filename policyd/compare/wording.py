"""A region in the words of its policies: when both rules' conditions hold, which guard makes the difference, who comes first.

In come two policies together, a pair of rules and its region; out come lines of text. What is written in both conditions is
said once, and a test that follows from another is left out. Levels keep their names.
"""

from collections.abc import Sequence
from typing import Final
from typing import Literal as Lit

from policyd.compare.deciding import Rule
from policyd.compare.regions import Region
from policyd.policy.condition import (
    TRUE,
    All,
    AtLeast,
    Condition,
    Has,
    InRange,
    OneOf,
    Prefix,
    both,
)
from policyd.policy.program import Guard
from policyd.policy.wording import condition_text
from policyd.proofs.kinds import DOMAIN_OF
from policyd.proofs.side import Decider, Side
from policyd.proofs.together import Together

__all__ = ["condition_of", "feature_text", "region_lines", "rule_text", "when_text"]

_MOST_NAMED: Final = 6
"""Rules that a line names before it says how many more there are."""


def rule_text(decider: Decider) -> str:
    """`route `rest``, or `otherwise`."""
    if decider.name.startswith(DOMAIN_OF):
        return f"domain of {feature_text(decider.name)}"
    return decider.name if decider.kind == "otherwise" else f"{decider.kind} `{decider.name}`"


def feature_text(name: str) -> str:
    """A feature as a person knows it, by its name or by that of the deny of what is not in its domain."""
    feature = name.removeprefix(DOMAIN_OF).strip()
    kind, colon, key = feature.partition(":")
    match kind, colon:
        case "header", ":":
            return f"the label in header `{key}`"
        case "conversation", ":":
            return f"what a conversation keeps of `{key}`"
        case _:
            return f"`{feature}`"


def when_text(together: Together, before: Decider, after: Decider) -> str:
    """The condition of both rules, in one line; empty where it is everything."""
    condition = condition_of(together, before, after)
    return "" if condition == TRUE else condition_text(together.program, condition)


def condition_of(together: Together, before: Decider, after: Decider) -> Condition:
    """Where both rules' conditions hold, each part once."""
    parts: list[Condition] = []
    for side, rule in ((together.old, before), (together.new, after)):
        condition = _condition(side, (rule.kind, rule.index))
        parts.extend(condition.operands if isinstance(condition, All) else (condition,))
    kept: list[Condition] = []
    for part in dict.fromkeys(parts):
        if any(_follows(part, other) for other in parts if other != part):
            continue
        kept.append(part)
    return both(*kept)


def region_lines(together: Together, region: Region) -> tuple[str, ...]:
    """What the conditions leave open: guards that make the difference, and rules that come first."""
    return (*_cause_lines(together, region), *_except_lines(together, region))


def _condition(side: Side, rule: Rule) -> Condition:
    kind, index = rule
    match kind:
        case "deny":
            return side.program.denies[index].condition
        case "route":
            return side.program.routes[index].condition
        case "otherwise":
            return TRUE


def _follows(part: Condition, other: Condition) -> bool:
    """Whether one test holds wherever the other does."""
    match part, other:
        case InRange(f, low, high), InRange(g, from_, to):
            return f == g and low <= from_ and to <= high
        case OneOf(f, values), OneOf(g, fewer):
            return f == g and fewer <= values
        case AtLeast(f, rank), AtLeast(g, higher):
            return f == g and rank <= higher
        case Prefix(f, text), Prefix(g, longer):
            return f == g and longer.startswith(text)
        case Prefix(f, text), OneOf(g, values):
            return f == g and all(v.startswith(text) for v in values)
        case Has(f, name), Has(g, deeper):
            return f == g and deeper.startswith(name + ".")
        case _:
            return False


def _cause_lines(together: Together, region: Region) -> tuple[str, ...]:
    """`guard `g` removed `a` and `b` when sensitivity >= confidential, and is gone`."""
    by: dict[tuple[str, int], list[str]] = {}
    for cause in region.causes:
        by.setdefault((cause.side, cause.guard), []).append(cause.target)
    out = []
    for (which, place), targets in by.items():
        guard = together.program.guards[place]
        named = _listed([f"`{t}`" for t in targets])
        when = condition_text(together.program, guard.condition)
        if which == "old":
            rest = _other_version(together, guard, together.new, "now", "is gone")
            out.append(f"guard `{guard.name}` removed {named} when {when}{rest}")
        else:
            rest = _other_version(together, guard, together.old, "before", "is new")
            out.append(f"guard `{guard.name}` now removes {named} when {when}{rest}")
    more = (f"{len(out) - _MOST_NAMED} more guards",) if len(out) > _MOST_NAMED else ()
    return (*out[:_MOST_NAMED], *more)


def _other_version(together: Together, guard: Guard, side: Side, word: str, absent: str) -> str:
    """What the other policy has under the guard's name. Capabilities share theirs and say it by their condition."""
    if guard.builtin:
        return ""
    other = next((g for g in side.program.guards if g.name == guard.name and not g.builtin), None)
    if other is None:
        return f", and {absent}"
    if other.condition == guard.condition:
        return ""
    return f"; {word} when {condition_text(together.program, other.condition)}"


def _except_lines(together: Together, region: Region) -> tuple[str, ...]:
    """Who decides some of the requests that meet both conditions; said once where it is the same before and now."""
    lists = [_takers(together.old, region, "old"), _takers(together.new, region, "new")]
    more = "" if region.exact else ", and perhaps others"
    if lists[0] == lists[1]:
        return (f"except where {lists[0]}{more}",) if lists[0] else ()
    said = zip(("before", "now"), lists, strict=True)
    return tuple(f"except where {word} {takers}{more}" for word, takers in said if takers)


def _takers(side: Side, region: Region, which: Lit["old", "new"]) -> str:
    """`a or b decides, or no target is left`, or nothing."""
    rules = [rule for w, rule in region.taken if w == which]
    names = [_name(side, rule) for rule in rules if rule[0] != "otherwise"]
    parts = [f"{_listed(names, 'or')} decides"] if names else []
    if len(names) < len(rules):
        parts.append("no target of its route is left")
    return ", or ".join(parts)


def _name(side: Side, rule: Rule) -> str:
    kind, index = rule
    match kind:
        case "deny":
            return f"`{side.program.denies[index].name}`"
        case "route":
            return f"`{side.program.routes[index].name}`"
        case "otherwise":
            return "`otherwise`"


def _listed(names: Sequence[str], word: str = "and") -> str:
    if len(names) > _MOST_NAMED:
        more = f"{len(names) - _MOST_NAMED + 1} more"
        names = [*names[: _MOST_NAMED - 1], f"one of {more}" if word == "or" else more]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
