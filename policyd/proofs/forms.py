"""Two policies whose routes redact, made comparable: which forms of a target each of them has.

A target that a route redacts for has several forms: the plain one, and a variant for each redaction. Whoever may send a
request as it is may send it with something taken out; the other way round that is more. So, of a target that some route of a
policy leads to, the policy has the forms that redact at least as much as one that its routes lead to, and no others. In come
the programs; out go the same with the forms that they have: the old one also with those that only the new one leads to, under
the guards that the plain target is under, which see the request as it comes. Where the old policy has a form that differs only
in what is put back into answers, the new form is under the guards of that one. A target that no route leads to is as it was.
"""

from collections.abc import Iterable
from dataclasses import replace

from policyd.policy.program import Guard, Program, Target
from policyd.policy.redacted import as_written
from policyd.policy.variants import covers, sends_alike

__all__ = ["comparable", "no_less_taken_out"]


def comparable(old: Program, new: Program) -> tuple[Program, Program]:
    if all(t.of is None for t in (*old.targets, *new.targets)):
        return old, new
    return _with_only(_with_forms(old, new), _Forms(old)), _with_only(new, _Forms(new))


def no_less_taken_out(form: Target, other: Target) -> bool:
    """Whether everything that is taken out on the way to the other form is taken out on the way to this one."""
    if other.redaction is None:
        return True
    return form.redaction is not None and all(covers(form.redaction, n) for n in other.redaction.names)


class _Forms:
    """The forms of each target that the routes of a program lead to."""

    def __init__(self, program: Program) -> None:
        by_name = {t.name: t for t in program.targets}
        self.led: dict[str, list[Target]] = {}
        for name in dict.fromkeys(t for r in program.routes for t in r.targets):
            self.led.setdefault(by_name[name].plain, []).append(by_name[name])

    def has(self, form: Target) -> bool:
        led = self.led.get(form.plain)
        return led is None or any(no_less_taken_out(form, one) for one in led)


def _with_only(program: Program, forms: _Forms) -> Program:
    targets = tuple(t for t in program.targets if forms.has(t))
    names = frozenset(t.name for t in targets)
    guards = tuple(replace(g, hits=g.hits & names) for g in program.guards)
    return replace(program, targets=targets, guards=guards)


def _with_forms(old: Program, new: Program) -> Program:
    """The old program with the variants that only the new one leads to."""
    known = {t.name for t in old.targets}
    led = {t for r in new.routes for t in r.targets}
    more = [t for t in new.targets if t.of in known and t.name in led and t.name not in known]
    if not more:
        return old
    whole = {g.name: g.hits for g in as_written(old).guards if not g.builtin}

    twins = {t.name: o.name for t in more for o in old.targets if sends_alike(t.name, o.name)}
    strange = [t for t in more if t.name not in twins]

    def hit(guard: Guard) -> frozenset[str]:
        hits = guard.hits | {name for name, twin in twins.items() if twin in guard.hits}
        if guard.after:
            return hits
        if guard.builtin:
            return hits | {t.name for t in strange if t.plain in guard.hits}
        return hits | {t.name for t in strange if _as_much(t, old.targets) in whole[guard.name]}

    guards = tuple(replace(g, hits=hit(g)) for g in old.guards)
    return replace(old, targets=(*old.targets, *more), guards=guards)


def _as_much(form: Target, targets: Iterable[Target]) -> str:
    """A form of the same target that the policy knows and that redacts the same, else the plain target: predicates that ask
    what is redacted hit them alike."""
    names = None if form.redaction is None else form.redaction.names
    alike = (
        t.name for t in targets if t.of == form.of and t.redaction is not None and t.redaction.names == names
    )
    return next(alike, form.plain)
