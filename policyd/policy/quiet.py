"""Quiet values: what a feature is in a test or a question that does not mention it.

Booleans and `exceeded` are false, sets empty, numbers their lowest, claimed features absent, strings their declared
unknown. An attested feature with `unknown reject` has no quiet value and must be given. Features that belong together
stay possible together: `context_needed` covers `tokens` and `max_output`, `weekday` follows `date`.
"""

from collections.abc import Mapping
from datetime import date

from policyd.policy.builtins import WEEKDAYS
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
from policyd.policy.request import Inadmissible, Request, admit, admit_value, unknown_value

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
            return values[0] if feature.unknown is Unknown.NEVER else unknown_value(feature)
        case StringDomain():
            return unknown_value(feature)


def quiet_request(program: Program, given: Mapping[str, object]) -> Request | Inadmissible:
    """A request from what was written, the rest quiet. A given None is `unknown`, as everywhere."""
    values: dict[str, object] = {f.name: quiet_value(f) for f in program.features}
    values.update(given)
    if "context_needed" not in given:
        parts = [values.get(n) for n in ("tokens", "max_output")]
        numbers = [p for p in parts if isinstance(p, int) and p < MAX_NUMBER]
        values["context_needed"] = None if "tokens" in given and given["tokens"] is None else sum(numbers)
    if "date" in given and "weekday" not in given:
        day = admit_value(program.feature("date"), given["date"])
        if isinstance(day, Inadmissible):
            return day
        values["weekday"] = WEEKDAYS[date.fromordinal(int(day)).weekday()]  # type: ignore[arg-type]
    return admit(program, values)
