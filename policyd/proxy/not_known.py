"""What was not known, or is too much, of a request that the policy refuses: the reason behind the rule's own reason.

In come the rejection, the values that it was made on, and the request as it was read; out go clauses for its message. The one
idea: what is unknown counts as the strictest value, so whoever is refused by "restricted data stays home" may have sent
none. Only what the rules read that took effect is told, through levels. Places are the caller's own words in part, so they
are for the caller alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policyd.policy.condition import AtLeast, Condition, Flag, Has, OneOf, Test, features_of, tests_of
from policyd.policy.decision import Decision, Reject
from policyd.policy.levels import level_condition
from policyd.policy.program import MAX_NUMBER, Program
from policyd.policy.request import EVERYTHING
from policyd.proxy.conversations.turns import Turn
from policyd.proxy.observe import Values
from policyd.text.printable import printable
from policyd.traffic.reading import Flag as Read
from policyd.traffic.reading import Reading

__all__ = ["NotKnown", "not_known", "tests_behind"]

MOST_PLACES: Final = 3
LONGEST_PLACE: Final = 80

_UNSCANNED: Final = {Read.IMAGES: "image", Read.REMOTE_CONTENT: "remote content", Read.OPAQUE: "content"}


@dataclass(frozen=True, slots=True)
class NotKnown:
    """`clauses` are policyd's own words; `places` may repeat keys that the caller sent."""

    clauses: tuple[str, ...] = ()
    places: str = ""


def tests_behind(program: Program, decision: Decision) -> Iterator[Test]:
    """What the rules ask that took effect: denies that hold and guards that removed a target, levels opened."""
    guards = {guard for removal in decision.removed for guard in removal.guards}
    rules: list[Condition] = [g.condition for g in program.guards if g.name in guards]
    if isinstance(decision, Reject):
        rules += [d.condition for d in program.denies if d.name in decision.by]
    opened: set[tuple[str, int]] = set()
    levels = {level.name: level for level in program.levels}
    while rules:
        for test in tests_of(rules.pop()):
            if isinstance(test, AtLeast) and test.level in levels:
                if (test.level, test.rank) not in opened:
                    opened.add((test.level, test.rank))
                    rules.append(level_condition(levels[test.level], test.rank))
            else:
                yield test


def not_known(
    program: Program,
    rejected: Reject,
    values: Values,
    between: Mapping[str, tuple[int, int]],
    reading: Reading,
    turn: Turn | None,
) -> NotKnown:
    read = tuple(tests_behind(program, rejected))
    clauses: list[str] = []
    if (
        any(isinstance(t, Has) and t.feature == "findings" for t in read)
        and values.get("findings") is EVERYTHING
    ):
        clauses.append(
            "what it holds is not known, because the detectors did not finish, and counts as every finding"
        )
    if turn is not None and any(isinstance(t, OneOf) and t.feature.startswith("conversation:") for t in read):
        why = turn.why_unknown
        if why:
            clauses.append(
                f"what its conversation has reached is not known, and counts as the highest: {why}"
            )
    guards = {guard for removal in rejected.removed for guard in removal.guards}
    if "context" in guards:
        clauses.append(_needed(values, between))
    if (
        "supports" in guards
        and values.get("endpoint") == "responses"
        and _is_stored_by_itself(program, rejected, reading)
    ):
        clauses.append("the API keeps what does not say otherwise: send `store: false`")
    places = ""
    if values.get("opaque") is True and any(isinstance(t, Flag) and t.feature == "opaque" for t in read):
        clauses.append("it holds content that was not scanned")
        places = _unscanned(reading)
    return NotKnown(tuple(clauses), places)


def _needed(values: Values, between: Mapping[str, tuple[int, int]]) -> str:
    low, high = between.get("context_needed", (0, 0))
    needed = values.get("context_needed")
    if "context_needed" in between and high < MAX_NUMBER:
        return f"with its answer it needs from {low} to {high} tokens"
    if not isinstance(needed, int) or needed >= MAX_NUMBER:
        return "how many tokens it needs with its answer is not known"
    return f"with its answer it needs {needed} tokens"


def _is_stored_by_itself(program: Program, rejected: Reject, reading: Reading) -> bool:
    """Whether a target was removed for `stored`, and `store` alone, said or left out, is why the request is."""
    removed = {removal.target for removal in rejected.removed if "supports" in removal.guards}
    asked = any(
        guard.name == "supports"
        and guard.builtin
        and guard.hits & removed
        and "stored" in features_of(guard.condition)
        for guard in program.guards
    )
    return asked and {place for flag, place in reading.reasons if flag is Read.STORED} == {"store"}


def _unscanned(reading: Reading) -> str:
    """At most a few places, each once, by what stands there."""
    kinds: dict[str, str] = {}
    for flag, place in reading.reasons:
        if flag in _UNSCANNED and kinds.get(place, "content") == "content":
            kinds[place] = _UNSCANNED[flag]
    shown = [f"{kind} in {printable(place[:LONGEST_PLACE])}" for place, kind in kinds.items()]
    return ", ".join(shown[:MOST_PLACES]) + (", …" if len(shown) > MOST_PLACES else "")
