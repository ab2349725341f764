"""Quiet values: what a feature is in a test or a question that does not mention it.

Booleans and `exceeded` are false, sets empty, numbers their lowest, claimed features absent, strings their declared
unknown, and a conversation is at its lowest. An attested feature with `unknown reject` has no quiet value and must be given. Features that belong together
stay possible together: `context_needed` is `tokens` and `max_output`, `weekday` goes with `date`, images or remote
content make a request opaque, and what cannot be taken out (`unredactable`) was found.
"""

from collections.abc import Mapping
from datetime import date

from policyd.policy.builtins import DATES, UNSCANNED, WEEKDAYS
from policyd.policy.program import (
    MAX_NUMBER,
    BoolDomain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    Program,
    StringDomain,
    Unknown,
    Value,
)
from policyd.policy.request import EVERYTHING, Inadmissible, Request, admit, admit_value, unknown_value
from policyd.policy.tasks import with_task

__all__ = ["quiet_request", "quiet_value"]


def quiet_value(feature: Feature) -> Value | None:
    """The feature's quiet value, or None where it must be given."""
    match feature.domain:
        case BoolDomain():
            return (
                feature.unknown
                if feature.where.kind in {"header", "deployment"} and isinstance(feature.unknown, bool)
                else (None if feature.unknown is Unknown.REJECT else False)
            )
        case NamesDomain():
            return frozenset()
        case _ if feature.unknown is Unknown.REJECT:
            return None
        case NumberDomain(low, _, _):
            return low if feature.where.kind == "builtin" else unknown_value(feature)
        case EnumDomain(values, _):
            # A conversation that nobody speaks of has reached nothing.
            first = feature.unknown is Unknown.NEVER or feature.where.kind == "conversation"
            return values[0] if first else unknown_value(feature)
        case StringDomain():
            return unknown_value(feature)


def quiet_request(program: Program, given: Mapping[str, object]) -> Request | Inadmissible:
    """A request from what was written, the rest quiet. A given None is `unknown`, as everywhere."""
    values: dict[str, object] = {f.name: quiet_value(f) for f in program.features}
    values.update(given)
    _complete_context(values, given)
    if "opaque" not in given and any(given.get(name, False) in {True, None} for name in UNSCANNED):
        values["opaque"] = True
    _complete_day(program, values, given)
    with_task(values, given)
    _complete_findings(values, given)
    return admit(program, values)


def _complete_context(values: dict[str, object], given: Mapping[str, object]) -> None:
    """`context_needed` is the prompt and the answer together; where one part is given, the other is the rest, and
    where it alone is given, it is all prompt. Unknown counts as the most there is."""
    tokens, answer, needed = (
        MAX_NUMBER if values.get(n) is None else values[n] for n in ("tokens", "max_output", "context_needed")
    )
    if not isinstance(tokens, int) or not isinstance(answer, int) or not isinstance(needed, int):
        return
    if "context_needed" not in given:
        values["context_needed"] = tokens if answer >= MAX_NUMBER else min(MAX_NUMBER, tokens + answer)
    elif "tokens" not in given:
        values["tokens"] = needed if needed >= MAX_NUMBER or answer >= MAX_NUMBER else max(0, needed - answer)
    elif "max_output" not in given:
        values["max_output"] = max(0, needed - tokens)


def _complete_findings(values: dict[str, object], given: Mapping[str, object]) -> None:
    """What cannot be taken out was found; and where it is unknown what was found, so is the other."""
    unknown = {
        name for name in ("findings", "unredactable") if name in given and values[name] in (None, EVERYTHING)
    }
    if "unredactable" not in given and "findings" in unknown:
        values["unredactable"] = None
    elif "findings" not in given and "unredactable" in given:
        values["findings"] = values["unredactable"]


def _complete_day(program: Program, values: dict[str, object], given: Mapping[str, object]) -> None:
    """`weekday` follows `date`; where it alone is given, the date is the first such day."""
    if "date" in given and "weekday" not in given:
        day = admit_value(program.feature("date"), given["date"])
        if not isinstance(day, Inadmissible):
            values["weekday"] = WEEKDAYS[date.fromordinal(int(day)).weekday()]  # type: ignore[arg-type]
    elif "weekday" in given and "date" not in given and given["weekday"] in WEEKDAYS:
        # INVARIANT: the calendar of policies begins on a Monday.
        values["date"] = DATES.low + WEEKDAYS.index(str(given["weekday"]))
