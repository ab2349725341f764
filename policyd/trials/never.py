"""Values of a request given by hand that no request ever has: a finding that nothing finds, a language that is no code.

In come a program and the values that a person gave; out come warnings. The request is decided all the same: a proof looks at
such values too, and another version may have them. What cannot be a value at all is an error where it is read.
"""

from collections.abc import Iterator, Mapping

from policyd.policy.asked import asked_findings
from policyd.policy.findings import CUSTOM, is_finding, near_finding
from policyd.policy.languages import LANGUAGES, code_of
from policyd.policy.program import NamesDomain, Program
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["never_seen"]


def never_seen(program: Program, given: Mapping[str, object]) -> tuple[Diagnostic, ...]:
    """A warning for each."""
    return tuple(_found(program, given))


def _found(program: Program, given: Mapping[str, object]) -> Iterator[Diagnostic]:
    for feature in program.features:
        value = given.get(feature.name)
        if feature.where.kind != "builtin":
            continue
        if isinstance(feature.domain, NamesDomain) and isinstance(value, list):
            for name in value:
                if isinstance(name, str):
                    yield from _unheard_of(name, program)
        elif feature.name == "language" and isinstance(value, str) and value and value not in LANGUAGES:
            yield _no_code(value)


def _unheard_of(name: str, program: Program) -> Iterator[Diagnostic]:
    if not is_finding(name):
        message = f"no detector of this version finds `{_shown(name)}`"
        close, listed = near_finding(name), "`policyd features --findings` lists them"
    elif CUSTOM.fullmatch(name):
        asked = {n for n, _ in asked_findings(program)}
        if any(name == one or name.startswith(f"{one}.") for one in asked):
            return
        own = sorted(n for n in asked if CUSTOM.fullmatch(n))
        message = f"no rule of the policy asks for `{_shown(name)}`, so it changes nothing"
        close = near_finding(name, own)
        listed = (
            f"asked for is {', '.join(f'`{n}`' for n in own)}" if own else "none asks for a `custom.` name"
        )
    else:
        return
    yield Diagnostic(
        "PD228", Severity.WARNING, message, None, f"did you mean `{close}`?" if close else listed
    )


def _no_code(text: str) -> Diagnostic:
    meant = code_of(text)
    cure = f'write `language="{meant}"`' if meant else "docs/features.md lists the codes"
    message = f"`language` is never `{_shown(text)}`: it is a code such as `es`"
    return Diagnostic("PD237", Severity.WARNING, message, None, cure)


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"
