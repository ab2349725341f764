"""What changed in what a policy says beside its decisions: targets' facts, amounts, claims, exceptions, reasons and names.

In come two policies; out come the changes in words. Rules are here only with their names and reasons: what they decide is
compared request by request. Whether a changed claim still says as much is asked of whoever calls (`claims_as_much`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeAlias, TypeVar

from policyd.compare.declared import Declared, DeclaredKind, matched
from policyd.compare.fact_text import amount_text, fact_text
from policyd.policy.program import (
    Assertion,
    Budget,
    Deny,
    ExceptionClause,
    Guard,
    Program,
    Redaction,
    Route,
    Suppression,
    Target,
    TestCase,
)
from policyd.policy.redacted import as_written
from policyd.policy.variants import plain_name, redacting

__all__ = ["ClaimsAsMuch", "statement_changes"]

ClaimsAsMuch: TypeAlias = Callable[[Assertion, Assertion], bool]
"""Whether the second assertion claims all that the first does, as far as that can be proved."""

_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}
_JUDGED = frozenset({"location", "region", "jurisdiction", "retention", "training", "onward"})
"""Facts that say what becomes of the data."""
_Rule = TypeVar("_Rule", Guard, Deny, Route)


def statement_changes(old: Program, new: Program, claims_as_much: ClaimsAsMuch) -> Iterator[Declared]:
    """Every change, target by target and statement by statement."""
    reached = frozenset(plain_name(t) for program in (old, new) for r in program.routes for t in r.targets)
    for target, new_target in matched(old.declared, new.declared, lambda t: t.name):
        yield from _target(target, new_target, reached)
    for budget, new_budget in matched(old.budgets, new.budgets, lambda b: b.name):
        yield from _budget(budget, new_budget)
    yield from _assertions(old, new, claims_as_much)
    for exception, new_exception in matched(old.exceptions, new.exceptions, lambda e: e.name):
        yield from _exception(exception, new_exception)
    yield from _rules("guard", _written(old), _written(new), _guard_words)
    yield from _rules("deny", old.denies, new.denies, _deny_words)
    yield from _rules("route", old.routes, new.routes, lambda _old, _new: ())
    yield from _redactions(old, new)
    yield from _otherwise(old, new)
    for suppression, new_suppression in matched(old.suppressions, new.suppressions, _suppressed):
        yield from _suppression(suppression, new_suppression)
    yield from _severities(old, new)
    for test, new_test in matched(old.tests, new.tests, lambda t: t.name):
        yield from _test(test, new_test)


# Targets and amounts.


def _target(old: Target | None, new: Target | None, reached: frozenset[str]) -> Iterator[Declared]:
    """`reached`: targets that a route names."""
    if old is None:
        if new is not None:
            facts = ", ".join(
                f"{n} {fact_text(n, v)}" for n, v in new.facts if n in {"location", "region", "retention"}
            )
            yield Declared(
                DeclaredKind.CHANGED,
                f"target `{new.name}` is new{f': `{facts}`' if facts else ''}",
                None,
                new.span,
            )
        return
    if new is None:
        yield Declared(DeclaredKind.CHANGED, f"target `{old.name}` is gone", old.span)
        return
    mine, theirs = dict(old.facts), dict(new.facts)
    for name in dict.fromkeys((*mine, *theirs)):
        if name not in theirs:
            said = f"no longer says its `{name}`, which was `{fact_text(name, mine[name])}`"
        elif name not in mine:
            said = f"says its `{name}`: `{fact_text(name, theirs[name])}`"
        elif mine[name] != theirs[name] or type(mine[name]) is not type(theirs[name]):
            said = (
                f"had `{name} {fact_text(name, mine[name])}` and has `{name} {fact_text(name, theirs[name])}`"
            )
        else:
            continue
        judged = name in _JUDGED and new.name in reached
        kind = DeclaredKind.JUDGED if judged else DeclaredKind.CHANGED
        yield Declared(kind, f"target `{new.name}` {said}", old.span, new.span)


def _budget(old: Budget | None, new: Budget | None) -> Iterator[Declared]:
    if old is None:
        if new is not None:
            yield Declared(DeclaredKind.TIGHTER, f"`{new.name}` is new: {_amount(new)}", None, new.span)
        return
    if new is None:
        yield Declared(DeclaredKind.LOOSER, f"`{old.name}`, {_amount(old)}, is gone", old.span)
    elif old != new:
        text = f"`{new.name}` was {_amount(old)} and is {_amount(new)}"
        kind = DeclaredKind.TIGHTER if _tighter(old, new) else DeclaredKind.LOOSER
        yield Declared(kind, text, old.span, new.span)


def _tighter(old: Budget, new: Budget) -> bool:
    """Whether the new one is reached whenever the old one is. Another key or unit counts for nobody as before."""
    if (old.unit, old.by) != (new.unit, new.by):
        return False
    if old.per not in _PERIODS or new.per not in _PERIODS:
        return old.per == new.per and new.amount <= old.amount
    return new.amount <= old.amount and _PERIODS[new.per] >= _PERIODS[old.per]


def _amount(budget: Budget) -> str:
    return f"`{amount_text(budget)} per {budget.per} by {budget.by}`"


# Claims.


def _assertions(old: Program, new: Program, claims_as_much: ClaimsAsMuch) -> Iterator[Declared]:
    gone: list[Assertion] = []
    more: list[Assertion] = []
    for before, after in matched(old.assertions, new.assertions, lambda a: a.name):
        if before is not None and after is not None:
            yield from _claim(before, after, claims_as_much)
        elif before is not None:
            gone.append(before)
        elif after is not None:
            more.append(after)
    for claim in gone:
        other = next((m for m in more if claims_as_much(claim, m)), None)
        if other is not None:
            more.remove(other)
            text = f"what assertion `{claim.name}` claimed is claimed by `{other.name}` now"
            yield Declared(DeclaredKind.WORDING, text, claim.span, other.span)
        else:
            text = f"assertion `{claim.name}` is gone: `{claim.text}` is no longer claimed"
            yield Declared(DeclaredKind.DROPPED, text, claim.span)
    for claim in more:
        text = f"assertion `{claim.name}` is new: `{claim.text}`"
        yield Declared(DeclaredKind.WORDING, text, None, claim.span)


def _claim(old: Assertion, new: Assertion, claims_as_much: ClaimsAsMuch) -> Iterator[Declared]:
    same = replace(old, text=new.text) == new
    worded_alike = old.text == new.text
    if worded_alike and (same or (old.condition == new.condition and claims_as_much(old, new))):
        return
    text = f"assertion `{new.name}` claimed `{old.text}` and claims `{new.text}`"
    if same or claims_as_much(old, new):
        yield Declared(DeclaredKind.WORDING, f"{text}: no less", old.span, new.span)
    else:
        yield Declared(DeclaredKind.DROPPED, f"{text}: no longer all of it", old.span, new.span)


def _exception(old: ExceptionClause | None, new: ExceptionClause | None) -> Iterator[Declared]:
    if old is None:
        if new is not None:
            yield Declared(
                DeclaredKind.WORDING,
                f"exception `{new.name}` to `{new.guard}` is new, until {_day(new.until)}, owned by `{new.owner}`: {new.because}",
                None,
                new.span,
            )
        return
    if new is None:
        yield Declared(DeclaredKind.WORDING, f"exception `{old.name}` to `{old.guard}` is gone", old.span)
        return
    changes = [
        f"{what} was `{before}` and is `{after}`"
        for what, before, after in (
            ("its guard", old.guard, new.guard),
            ("its end", _day(old.until), _day(new.until)),
            ("its owner", old.owner, new.owner),
            ("its reason", old.because, new.because),
        )
        if before != after
    ]
    if old.when != new.when:
        changes.append("its condition is another")
    if changes:
        text = f"exception `{new.name}`: {', '.join(changes)}"
        yield Declared(DeclaredKind.WORDING, text, old.span, new.span)


def _suppressed(suppression: Suppression) -> str:
    return f"{suppression.code} on {suppression.subject}"


def _suppression(old: Suppression | None, new: Suppression | None) -> Iterator[Declared]:
    if old is None:
        if new is not None:
            text = f"findings of `{_suppressed(new)}` are suppressed until {_day(new.until)}: {new.because}"
            yield Declared(DeclaredKind.WORDING, text, None, new.span)
        return
    if new is None:
        text = f"findings of `{_suppressed(old)}` are no longer suppressed"
        yield Declared(DeclaredKind.WORDING, text, old.span)
    elif old.until != new.until:
        text = f"findings of `{_suppressed(new)}` were suppressed until {_day(old.until)} and are until {_day(new.until)}"
        yield Declared(DeclaredKind.WORDING, text, old.span, new.span)


def _severities(old: Program, new: Program) -> Iterator[Declared]:
    before, after = dict(old.severities), dict(new.severities)
    for code in sorted({*before, *after}):
        if before.get(code) != after.get(code):
            was, now = (f"`{s[code]}`" if code in s else "the usual" for s in (before, after))
            yield Declared(DeclaredKind.WORDING, f"the severity of `{code}` was {was} and is {now}")


def _test(old: TestCase | None, new: TestCase | None) -> Iterator[Declared]:
    if old is not None and new is None:
        yield Declared(DeclaredKind.WORDING, f"test `{old.name}` is gone", old.span)
    elif old is not None and new is not None and old != new:
        yield Declared(
            DeclaredKind.WORDING, f"test `{new.name}` asks or expects something else", old.span, new.span
        )


# Names and reasons of rules.


def _written(program: Program) -> tuple[Guard, ...]:
    return as_written(program).written


def _rules(
    kind: str,
    old: Sequence[_Rule],
    new: Sequence[_Rule],
    words: Callable[[_Rule, _Rule], Sequence[str]],
) -> Iterator[Declared]:
    """Rules by name, and then those that are the same but for their name."""
    gone: list[_Rule] = []
    more: list[_Rule] = []
    for before, after in matched(old, new, lambda r: r.name):
        if before is not None and after is not None:
            for said in words(before, after):
                yield Declared(
                    DeclaredKind.WORDING, f"{kind} `{after.name}`: {said}", before.span, after.span
                )
        elif before is not None:
            gone.append(before)
        elif after is not None:
            more.append(after)
    nameless = {replace(r, name=""): r for r in reversed(more)}
    for rule in gone:
        other = nameless.pop(replace(rule, name=""), None)
        if other is None:
            yield Declared(DeclaredKind.WORDING, f"{kind} `{rule.name}` is gone", rule.span)
        else:
            more.remove(other)
            text = f"{kind} `{rule.name}` is called `{other.name}` now"
            yield Declared(DeclaredKind.WORDING, text, rule.span, other.span)
    for rule in more:
        yield Declared(DeclaredKind.WORDING, f"{kind} `{rule.name}` is new", None, rule.span)


def _redactions(old: Program, new: Program) -> Iterator[Declared]:
    """What routes of one name take out, put back and decide by; whether that is looser is proved elsewhere."""
    was, now = _redaction_by_route(old), _redaction_by_route(new)
    for before, after in matched(old.routes, new.routes, lambda r: r.name):
        if before is None or after is None:
            continue
        mine, theirs = was.get(before.name, Redaction(())), now.get(after.name, Redaction(()))
        for said in _redaction_words(mine, theirs):
            yield Declared(DeclaredKind.CHANGED, f"route `{after.name}` {said}", before.span, after.span)


def _redaction_by_route(program: Program) -> Mapping[str, Redaction]:
    variants = redacting(program)
    found = {r.name: variants[t].redaction for r in program.routes for t in r.targets[:1] if t in variants}
    return {name: redaction for name, redaction in found.items() if redaction is not None}


def _redaction_words(old: Redaction, new: Redaction) -> Iterator[str]:
    more = [f"`{n}`" for n in new.names if n not in old.names]
    less = [f"`{n}`" for n in old.names if n not in new.names]
    if less:
        yield f"no longer redacts {' and '.join(less)}"
    if more:
        yield f"redacts {' and '.join(more)} now"
    if old.after != new.after:
        yield "decides after redaction now" if new.after else "no longer decides after redaction"
    if old.restored != new.restored:
        yield (
            "puts what it redacts back into answers now"
            if new.restored
            else "no longer puts what it redacts back into answers"
        )


def _guard_words(old: Guard, new: Guard) -> tuple[str, ...]:
    out = []
    if old.because != new.because:
        out.append(_said(old.because, new.because))
    if old.overridable_by != new.overridable_by:
        before, after = (f"`{x}`" if x else "nobody" for x in (old.overridable_by, new.overridable_by))
        out.append(f"{before} could override it, and now {after} can")
    return tuple(out)


def _deny_words(old: Deny, new: Deny) -> tuple[str, ...]:
    return (_said(old.because, new.because),) if old.because != new.because else ()


def _otherwise(old: Program, new: Program) -> Iterator[Declared]:
    before, after = old.otherwise, new.otherwise
    if before.reason != after.reason:
        text = f"`otherwise`: {_said(before.reason, after.reason)}"
        yield Declared(DeclaredKind.WORDING, text, before.span, after.span)
    if before.holes != after.holes:
        text = f"`otherwise`: holes were of severity `{before.holes}` and are `{after.holes}`"
        yield Declared(DeclaredKind.WORDING, text, before.span, after.span)


def _said(old: str, new: str) -> str:
    return f"its reason was `{old}` and is `{new}`"


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
