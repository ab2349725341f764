"""Guards: written ones with their exceptions, and the capabilities that nobody writes.

A guard becomes the set of targets it hits and the condition under which it does. An exception that the guard permits
is part of that condition: `when and not (exception and date <= until)`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, TypeVar

from policyd.policy.builtins import CAPABILITIES, CAPABILITY_GUARDS, DATES, ENDPOINTS
from policyd.policy.condition import All, Condition, Flag, InRange, OneOf
from policyd.policy.excepted import excepted
from policyd.policy.program import MAX_NUMBER, ExceptionClause, Guard, Target
from policyd.resolve.conditions import Conditions
from policyd.resolve.files import Placed
from policyd.resolve.names import Declared, Names
from policyd.resolve.predicates import Predicates
from policyd.resolve.redactions import redacts_guards
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.resolve.scopes import Scopes
from policyd.syntax import nodes
from policyd.syntax.writing import condition_text
from policyd.text.diagnostic import Label

__all__ = ["capability_guards", "read_exceptions", "read_guards"]

_ANSWERED_HERE: Final = "models"
_Key = TypeVar("_Key", int, tuple[str, ...])


def read_guards(
    names: Names,
    conditions: Conditions,
    predicates: Predicates,
    scopes: Scopes,
    exceptions: tuple[ExceptionClause, ...],
) -> tuple[Guard, ...]:
    """The written guards in order, exceptions folded in."""
    return tuple(
        _guard(declared, declared.statement, conditions, predicates, scopes, exceptions)
        for declared in names.tables["guard"].values()
        if isinstance(declared.statement, nodes.Guard)
    )


def _guard(
    declared: Declared,
    guard: nodes.Guard,
    conditions: Conditions,
    predicates: Predicates,
    scopes: Scopes,
    exceptions: tuple[ExceptionClause, ...],
) -> Guard:
    satisfied = predicates.satisfied(guard.predicate, declared.space)
    hits = predicates.all - satisfied if guard.effect == "only" else satisfied
    condition = scopes.within(declared.space, conditions.when(guard.when, declared.space))
    condition = excepted(condition, (e for e in exceptions if e.guard == declared.name))
    return Guard(
        declared.name,
        hits,
        condition,
        guard.because.value,
        f"{guard.effect} {condition_text(guard.predicate)}",
        overridable_by=None if guard.overridable_by is None else guard.overridable_by.value,
        span=guard.name.span,
    )


def read_exceptions(
    statements: Iterable[Placed], names: Names, conditions: Conditions, today: date | None, report: Report
) -> tuple[ExceptionClause, ...]:
    """The exceptions that mean something today; without a `today` none has expired."""
    out: list[ExceptionClause] = []
    for item in statements:
        if not isinstance(item.statement, nodes.Except):
            continue
        exception = item.statement
        when = conditions.read(exception.when, item.space)
        guard = _permitted(item, exception, names, report)
        in_time = _in_time(exception, item.space.qualify(exception.name.text), today, report)
        if guard is not None and in_time:
            out.append(
                ExceptionClause(
                    item.space.qualify(exception.name.text),
                    guard.name,
                    when,
                    exception.until.ordinal,
                    exception.owner.value,
                    exception.because.value,
                    exception.name.span,
                )
            )
    return tuple(out)


def _permitted(item: Placed, exception: nodes.Except, names: Names, report: Report) -> Declared | None:
    """The guard, where it permits this exception."""
    ident = exception.guard
    declared = names.find("guard", ident.text, item.space)
    if declared is None:
        _unknown_guard(ident, item, names, report)
        return None
    guard = declared.statement
    assert isinstance(guard, nodes.Guard), "INVARIANT: the table holds guards only"
    label = (Label(guard.name.span, "the guard is declared here"),)
    if not item.space.holds(declared.space):
        report.add(
            "PD252",
            ident.span,
            f"a file that is included with a scope cannot except from `{ident.text}`, which stands outside of it",
            help="state the exception next to the guard",
            labels=label,
        )
        return None
    if guard.overridable_by is None:
        report.add(
            "PD252",
            ident.span,
            f"`{ident.text}` permits no exception",
            help=f'if it may, add `overridable by "{exception.owner.value}"` to the guard',
            labels=label,
        )
        return None
    if guard.overridable_by.value != exception.owner.value:
        label = (Label(guard.overridable_by.span, "the guard names its owner here"),)
        report.add(
            "PD252",
            exception.owner.span,
            f'`{ident.text}` is overridable by "{guard.overridable_by.value}", not by "{exception.owner.value}"',
            labels=label,
        )
        return None
    return declared


def _unknown_guard(ident: nodes.Ident, item: Placed, names: Names, report: Report) -> None:
    if ident.text in CAPABILITY_GUARDS:
        report.add(
            "PD252", ident.span, f"`{ident.text}` is what targets can do: there is no exception from it"
        )
        return
    guards = names.visible("guard", item.space)
    advice = did_you_mean(ident.text, guards, f"the guards are {listed(guards)}" if guards else None)
    report.add("PD204", ident.span, f"there is no guard `{ident.text}`", help=advice)


def _in_time(exception: nodes.Except, name: str, today: date | None, report: Report) -> bool:
    until = exception.until
    if not DATES.low <= until.ordinal <= DATES.high:
        report.add("PD254", until.span, "an exception ends between 2001-01-01 and 2099-12-31")
        return False
    if today is not None and until.ordinal < today.toordinal():
        report.add(
            "PD253",
            until.span,
            f"the exception `{exception.name.text}` has expired and means nothing",
            help="remove it, or have its owner renew it",
            subject=name,
        )
        return False
    return True


def capability_guards(targets: tuple[Target, ...]) -> tuple[Guard, ...]:
    """What every target must be able to do: hold the context, speak the endpoint, support what the request uses;
    and what a variant must not get can be taken out."""
    found = (*_context(targets), *_speaks(targets), *_translates(targets), *_supports(targets))
    return (*found, *redacts_guards(targets))


def _builtin(name: str, hits: Iterable[str], condition: Condition, because: str, text: str) -> Guard:
    return Guard(name, frozenset(hits), condition, because, text, builtin=True)


def _grouped(found: Iterable[tuple[str, _Key]]) -> Mapping[_Key, tuple[str, ...]]:
    groups: dict[_Key, list[str]] = {}
    for target, key in found:
        groups.setdefault(key, []).append(target)
    return {key: tuple(members) for key, members in groups.items()}


def _context(targets: tuple[Target, ...]) -> Iterable[Guard]:
    sizes = [(t.name, int(size)) for t in targets if isinstance(size := t.fact("context"), int)]
    for size, members in sorted(_grouped(sizes).items()):
        if size < MAX_NUMBER:
            because = f"the request needs more context than the {size} tokens of the target"
            condition = InRange("context_needed", size + 1, MAX_NUMBER)
            yield _builtin("context", members, condition, because, "only context >= context_needed")


def _speaks(targets: tuple[Target, ...]) -> Iterable[Guard]:
    unspoken: list[tuple[str, tuple[str, ...]]] = []
    for target in targets:
        words = _words(target, "speaks") | _words(target, "translates")
        covered = words | {_ANSWERED_HERE} | ({"count_tokens"} if "messages" in words else set())
        unspoken.append((target.name, tuple(e for e in ENDPOINTS if e not in covered)))
    for endpoints, members in _grouped(unspoken).items():
        if endpoints:
            condition = OneOf("endpoint", frozenset(endpoints))
            because = "the target does not speak this endpoint"
            yield _builtin("speaks", members, condition, because, "only speaks contains the endpoint")


def _translates(targets: tuple[Target, ...]) -> Iterable[Guard]:
    said = [(t.name, tuple(e for e in ENDPOINTS if e in _words(t, "translates"))) for t in targets]
    for endpoints, members in _grouped(said).items():
        if endpoints:
            condition = All((OneOf("endpoint", frozenset(endpoints)), Flag("untranslatable")))
            because = "the request cannot be said without loss in what the target speaks"
            text = "only translates without loss"
            yield _builtin("translates", members, condition, because, text)


def _supports(targets: tuple[Target, ...]) -> Iterable[Guard]:
    for capability in CAPABILITIES:
        lacking = [t.name for t in targets if not _lists(t, capability)]
        if lacking:
            because = f"the target does not support `{capability}`"
            text = f"only supports contains {capability}"
            yield _builtin("supports", lacking, Flag(capability), because, text)


def _lists(target: Target, capability: str) -> bool:
    return capability in _words(target, "supports")


def _words(target: Target, name: str) -> frozenset[str]:
    fact = target.fact(name)
    return fact if isinstance(fact, frozenset) else frozenset()
