"""A request in one line or in JSON, as a person writes it: `team=search context_needed=40k findings=secret.aws images`.

In come text or a JSON object and a policy; out go raw values by feature name for `quiet_request`, and every mistake at
once. `policy.written` writes the same line, so what a failing test or a witness prints can be pasted into `policyd
explain`. Values are checked against the policy's own domains here and nowhere else on the way to a person.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from policyd.policy.builtins import WEEKDAYS
from policyd.policy.possible import agree
from policyd.policy.program import (
    BoolDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    Program,
    StringDomain,
)
from policyd.policy.quiet import quiet_request, quiet_value
from policyd.policy.request import Inadmissible, Request, admit_value
from policyd.policy.written import number_text, number_value, unescaped, value_text
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["GivenRequest", "read_json", "read_line", "request_from"]

_ENTRY = re.compile(r'\s*([^\s="]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]*))?(?=\s|$)')
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class GivenRequest:
    """What was written. `values` holds raw values by feature name (None is unknown); it means nothing where
    `diagnostics` has an error."""

    values: Mapping[str, object]
    diagnostics: tuple[Diagnostic, ...] = ()


def read_line(program: Program, text: str) -> GivenRequest:
    """Entries of `NAME=VALUE`, `NAME` (true) and `not NAME` (false), separated by spaces. A value with a space stands in
    double quotes, with the escapes of the language; names of a set are separated by commas; the bare word `unknown` is
    unknown."""
    features = {f.name: f for f in program.features}
    values: dict[str, object] = {}
    problems: list[Diagnostic] = []
    at, negated = 0, False
    while text[at:].strip():
        found = _ENTRY.match(text, at)
        if found is None:
            problems.append(
                _problem(
                    "PD004",
                    f"cannot read the request from `{_shown(text[at:].strip())}` on",
                    "write `NAME=VALUE`, `NAME` or `not NAME`; a value with a space stands in double quotes",
                )
            )
            break
        at = found.end()
        name, raw = found.group(1), found.group(2)
        if name == "not" and raw is None and not negated:
            negated = True
            continue
        feature = features.get(name)
        if feature is None:
            problems.append(_unknown_name(name, program))
        elif name in values:
            problems.append(_problem("PD004", f"`{name}` is given twice", "give each feature once"))
        elif raw is not None and _stray(feature, raw):
            problems.append(
                _problem(
                    "PD004",
                    f"`{_shown(raw)}` has a mark that a value without quotes does not have",
                    f'entries are separated by spaces; if it belongs to the value, quote it: {name}="…"',
                )
            )
        elif negated and raw is not None:
            problems.append(
                _problem("PD004", f"`not {name}={_shown(raw)}` has a value", f"write `not {name}`")
            )
        else:
            try:
                values[name] = (not negated) if raw is None else _from_text(feature, raw)
            except ValueError as error:
                problems.append(_not_an_escape(str(error)))
            else:
                problems.extend(_checked(feature, values[name], raw))
        negated = False
    if negated:
        problems.append(_problem("PD004", "`not` at the end has no name after it", "write `not NAME`"))
    return GivenRequest(values, tuple(problems))


def read_json(program: Program, text: str) -> GivenRequest:
    """A JSON object of feature names; numbers may be written `"40k"`, dates `"2026-12-31"`, null is unknown."""
    try:
        loaded = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except _DuplicateKey as error:
        return _nothing(f"the request has the key `{_shown(str(error))}` twice", "give each feature once")
    except RecursionError:
        return _nothing(
            "the request is nested too deeply to read", "a request is one flat object of features"
        )
    except ValueError as error:
        return _nothing(
            f"the request is not JSON: {_shown(str(error))}", 'write an object like {"team": "search"}'
        )
    if not isinstance(loaded, dict):
        return _nothing("the request is not a JSON object", 'write an object like {"team": "search"}')
    features = {f.name: f for f in program.features}
    values: dict[str, object] = {}
    problems: list[Diagnostic] = []
    for name, raw in loaded.items():
        feature = features.get(name)
        if feature is None:
            problems.append(_unknown_name(name, program))
            continue
        values[name] = _from_json(feature, raw)
        problems.extend(_checked(feature, values[name], raw))
    return GivenRequest(values, tuple(problems))


def request_from(program: Program, given: Mapping[str, object]) -> Request | tuple[Diagnostic, ...]:
    """The request with everything else quiet, or every feature that has to be given and is not."""
    missing = [f for f in program.features if f.name not in given and quiet_value(f) is None]
    if missing:
        return tuple(
            _problem(
                "PD007",
                f"`{f.name}` has to be given: the policy admits no request without it",
                f"add `{f.name}=…` ({_domain_text(f)})",
            )
            for f in missing
        )
    request = quiet_request(program, given)
    if isinstance(request, Inadmissible):
        return (_problem("PD006", request.message, None),)
    return _impossible(request, frozenset(given)) or request


def _impossible(request: Request, given: frozenset[str]) -> tuple[Diagnostic, ...]:
    """Values that were given and cannot stand together in any request."""
    found: list[Diagnostic] = []
    values = request.values
    if {"date", "weekday"} <= given:
        day = WEEKDAYS[date.fromordinal(int(values["date"])).weekday()]  # type: ignore[arg-type]
        if values["weekday"] != day:
            found.append(
                _problem("PD284", f"no request is like this: that date is a `{day}`", "leave `weekday` out")
            )
    if not found and not agree(values):
        needed, tokens, answer = (values[n] for n in ("context_needed", "tokens", "max_output"))
        if "opaque" in given and values["opaque"] is False:
            message, cure = (
                "images and remote content are never scanned, so they are opaque",
                "leave `opaque` out",
            )
        else:
            message = f"`context_needed` is `tokens` and `max_output` together, and {needed} is not {tokens} and {answer}"
            cure = "leave `context_needed` out"
        found.append(_problem("PD284", f"no request is like this: {message}", cure))
    return tuple(found)


def _stray(feature: Feature, raw: str) -> bool:
    """A comma, semicolon or apostrophe in a value without quotes: two entries run into one, most likely."""
    marks = ";'" if isinstance(feature.domain, NamesDomain) else ",;'"
    return not raw.startswith('"') and any(mark in raw for mark in marks)


class _DuplicateKey(ValueError):
    """A JSON object has a key twice; readers differ on which one counts, so neither does."""


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in pairs:
        if key in out:
            raise _DuplicateKey(key)
        out[key] = value
    return out


def _no_constant(text: str) -> object:
    raise ValueError(f"`{text}` is not a JSON number")


def _from_text(feature: Feature, raw: str) -> object:
    if raw.startswith('"'):
        text = raw[1:-1]
        if isinstance(feature.domain, NamesDomain):
            return [unescaped(name) for name in _names(text)]
        return unescaped(text)
    domain = feature.domain
    if raw == "unknown" and raw not in getattr(domain, "values", ()):
        return None
    if isinstance(domain, NamesDomain):
        return _names(raw)
    if isinstance(domain, BoolDomain):
        return _FLAGS.get(raw.lower(), raw)
    if isinstance(domain, NumberDomain) and domain.unit == "count":
        number = number_value(raw)
        return raw if number is None else number
    return raw


def _from_json(feature: Feature, raw: object) -> object:
    if not isinstance(raw, str) or isinstance(feature.domain, StringDomain):
        return raw
    return _from_text(feature, raw) if not raw.startswith('"') else raw


def _not_an_escape(text: str) -> Diagnostic:
    cure = r"the escapes in quotes are \" \\ \n \t and \u{…} with the hexadecimal number of a character"
    return _problem("PD004", f"`{text}` is not an escape", cure)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")] if text.strip() else []


def _checked(feature: Feature, value: object, raw: object) -> tuple[Diagnostic, ...]:
    """The value against its domain. A derived number is clamped on its way in from real traffic; a person who writes
    one that does not exist is told."""
    domain = feature.domain
    outside = (
        isinstance(domain, NumberDomain)
        and isinstance(value, int)
        and not isinstance(value, bool)
        and not domain.low <= value <= domain.high
    )
    if isinstance(domain, NamesDomain) and isinstance(value, list) and "" in value:
        message = f"`{feature.name}` has a name that is empty"
        return (
            _problem("PD006", message, "names are separated by one comma each, and none stands at an end"),
        )
    admitted = admit_value(feature, value)
    if not isinstance(admitted, Inadmissible) and not outside:
        return ()
    if value is None:
        message = f"`{feature.name}` cannot be unknown here: the policy admits no request without it"
        return (_problem("PD006", message, f"give it a value: {_domain_text(feature)}"),)
    written = True if raw is None else raw
    shown = _shown(
        written if isinstance(written, str) else json.dumps(written, ensure_ascii=False, default=str)
    )
    near = _near(written, getattr(domain, "values", ()))
    help_ = f"did you mean `{near}`? " if near else ""
    message = f"`{feature.name}` cannot be `{shown}`"
    return (_problem("PD006", message, f"{help_}the feature is {_domain_text(feature)}"),)


def _domain_text(feature: Feature) -> str:
    match feature.domain:
        case NumberDomain(low, high, "date"):
            return f"a date from {value_text(low, unit='date')} to {value_text(high, unit='date')}"
        case NumberDomain(low, high, _):
            return f"a whole number from {number_text(low)} to {number_text(high)}"
        case BoolDomain():
            return "true or false"
        case NamesDomain():
            return "a set of names, separated by commas"
        case StringDomain():
            return "a string of at most 1024 characters"
        case domain:
            return "one of: " + ", ".join(domain.values)


def _unknown_name(name: str, program: Program) -> Diagnostic:
    if any(level.name == name for level in program.levels):
        return _problem(
            "PD005",
            f"`{name}` is computed by `classify`",
            "give what it is computed from, such as findings or a label",
        )
    near = _near(name, [f.name for f in program.features])
    return _problem(
        "PD005",
        f"the policy has no feature `{_shown(name)}`",
        f"did you mean `{near}`?" if near else "`policyd features POLICY` lists them",
    )


def _near(word: object, candidates: Iterable[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415  only a mistake pays for it

    close = get_close_matches(word[:200], list(candidates), n=1, cutoff=0.6) if isinstance(word, str) else []
    return close[0] if close else None


def _problem(code: str, message: str, help_: str | None) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, None, help_)


def _nothing(message: str, help_: str) -> GivenRequest:
    return GivenRequest({}, (_problem("PD004", message, help_),))


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"
