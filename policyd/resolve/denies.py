"""Denies, and what no guard, deny or scope may read.

A claimed feature with `unknown reject` has no absent value, so the question whether the caller's word loosens
something has no answer; it is kept out of everything that forbids.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from policyd.policy.condition import AtLeast, Condition, tests_of
from policyd.policy.program import Classify, Deny, Feature, Guard, Inclusion, Provenance, Unknown
from policyd.resolve.conditions import Conditions
from policyd.resolve.levels import reads_of
from policyd.resolve.names import Names
from policyd.resolve.report import Report
from policyd.resolve.scopes import Scopes
from policyd.syntax import nodes
from policyd.text.diagnostic import Label
from policyd.text.source import Span

__all__ = ["check_claimed", "read_denies", "status_of"]

DENIED: Final = 403


def status_of(number: nodes.Number | None, report: Report) -> int:
    """A refusal's status: 403 where none is written."""
    if number is None:
        return DENIED
    if not 400 <= number.value <= 499 and number.value != 503:
        report.add(
            "PD251",
            number.span,
            f"a refusal's status is 400 to 499 or 503, not {number.value}",
            help="such as 403 or 429",
        )
        return DENIED
    return number.value


def read_denies(names: Names, conditions: Conditions, scopes: Scopes, report: Report) -> tuple[Deny, ...]:
    return tuple(
        Deny(
            declared.name,
            scopes.within(declared.space, conditions.read(deny.when, declared.space)),
            status_of(deny.status, report),
            deny.because.value,
            deny.name.span,
        )
        for declared in names.tables["deny"].values()
        if isinstance(deny := declared.statement, nodes.Deny)
    )


def check_claimed(
    guards: Iterable[Guard],
    denies: Iterable[Deny],
    inclusions: Iterable[Inclusion],
    levels: tuple[Classify, ...],
    features: Mapping[str, Feature],
    report: Report,
) -> None:
    """No guard, deny or scope reads a claimed feature with `unknown reject`, a level's inputs included."""
    reads = reads_of(levels)
    rules = (
        *((f"the guard `{g.name}`", g.condition, g.span) for g in guards),
        *((f"the deny `{d.name}`", d.condition, d.span) for d in denies),
        *((f"the scope of `{i.alias}`", i.scope, i.span) for i in inclusions),
    )
    for what, condition, span in rules:
        for name, place in _read(condition, reads):
            feature = features[name]
            if feature.provenance is Provenance.CLAIMED and feature.unknown is Unknown.REJECT:
                declared = () if feature.span is None else (Label(feature.span, "declared here"),)
                report.add(
                    "PD250",
                    place or span,
                    f"{what} reads `{name}`, which the caller writes and which has `unknown reject`",
                    help=f"give `{name}` a value for unknown",
                    labels=declared,
                )


def _read(condition: Condition, reads: Mapping[str, frozenset[str]]) -> Iterable[tuple[str, Span | None]]:
    for test in tests_of(condition):
        if isinstance(test, AtLeast):
            for name in sorted(reads.get(test.level, frozenset())):
                yield name, test.span
        else:
            yield test.feature, test.span
